# PEViT (arXiv 2306.03679) on Fashion-MNIST whose 4-pixel patches are shuffled.
# python tools/train.py configs/pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py
_base_ = ['../_base_/mini_fashion-mnist.py', '../_base_/datasets/fashion_mnist.py']

model = dict(backbone=dict(type='PEViT'))

shuffle = dict(type='PatchShuffle', patch_size=4)
train_dataloader = dict(dataset=dict(pipeline=[_base_.flip, shuffle, _base_.pack]))
val_dataloader = dict(dataset=dict(pipeline=[shuffle, _base_.pack]))
test_dataloader = val_dataloader
