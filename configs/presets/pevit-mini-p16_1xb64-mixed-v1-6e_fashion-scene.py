# PEViT on FashionScene encrypted with the preset mixed-v1.
# python tools/train.py configs/presets/pevit-mini-p16_1xb64-mixed-v1-6e_fashion-scene.py
_base_ = '../pevit/pevit-mini-p16_1xb64-rs-6e_fashion-scene.py'

model = dict(backbone=dict(img_size=48, patch_size=6))  # of the encrypted image

mix = dict(type='PatchMixup', preset='mixed-v1')
shuffle = dict(type='PatchShuffle', preset='mixed-v1')
train_dataloader = dict(dataset=dict(pipeline=[_base_.load, *_base_.augment, mix, shuffle, _base_.pack]))
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, mix, shuffle, _base_.pack]))
test_dataloader = val_dataloader
