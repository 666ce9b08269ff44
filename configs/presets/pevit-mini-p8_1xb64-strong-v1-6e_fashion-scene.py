# PEViT on FashionScene encrypted with the preset strong-v1.
# python tools/train.py configs/presets/pevit-mini-p8_1xb64-strong-v1-6e_fashion-scene.py
_base_ = '../pevit/pevit-mini-p16_1xb64-rs-6e_fashion-scene.py'

model = dict(backbone=dict(img_size=64, patch_size=4))  # of the encrypted image

shuffle = dict(type='PatchShuffle', preset='strong-v1')
train_dataloader = dict(dataset=dict(pipeline=[_base_.load, *_base_.augment, shuffle, _base_.pack]))
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, shuffle, _base_.pack]))
test_dataloader = val_dataloader
