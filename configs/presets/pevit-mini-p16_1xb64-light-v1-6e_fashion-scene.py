# PEViT on FashionScene encrypted with the preset light-v1.
# python tools/train.py configs/presets/pevit-mini-p16_1xb64-light-v1-6e_fashion-scene.py
_base_ = '../pevit/pevit-mini-p16_1xb64-rs-6e_fashion-scene.py'

model = dict(backbone=dict(img_size=96, patch_size=12))  # of the encrypted image

shuffle = dict(type='PatchShuffle', preset='light-v1')
train_dataloader = dict(dataset=dict(pipeline=[_base_.load, *_base_.augment, shuffle, _base_.pack]))
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, shuffle, _base_.pack]))
test_dataloader = val_dataloader
