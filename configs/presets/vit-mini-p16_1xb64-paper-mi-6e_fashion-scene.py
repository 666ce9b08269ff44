# A ViT with positions on FashionScene encrypted with the preset paper-mi (arXiv 2306.03679): patches stay in place.
# python tools/train.py configs/presets/vit-mini-p16_1xb64-paper-mi-6e_fashion-scene.py
_base_ = '../vit/vit-mini-p16_1xb64-6e_fashion-scene.py'

model = dict(backbone=dict(img_size=64, patch_size=8))  # of the mixed image

mix = dict(type='PatchMixup', preset='paper-mi')
train_dataloader = dict(dataset=dict(pipeline=[_base_.load, *_base_.augment, mix, _base_.pack]))
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, mix, _base_.pack]))
test_dataloader = val_dataloader
