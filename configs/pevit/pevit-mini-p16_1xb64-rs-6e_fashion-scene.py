# PEViT (arXiv 2306.03679) on FashionScene whose 16-pixel patches are shuffled.
# python tools/train.py configs/pevit/pevit-mini-p16_1xb64-rs-6e_fashion-scene.py
_base_ = ['../_base_/mini_fashion-scene.py', '../_base_/datasets/fashion_scene.py']

model = dict(backbone=dict(positions=False))

shuffle = dict(type='PatchShuffle', patch_size=16)
train_dataloader = dict(dataset=dict(pipeline=[_base_.load, *_base_.augment, shuffle, _base_.pack]))
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, shuffle, _base_.pack]))
test_dataloader = val_dataloader
