# pevit-mini on a copy of Fashion-MNIST that hii-mm encrypt --patch-size 4 wrote (docs/guides/owners.md).
# python tools/train.py configs/pevit/pevit-mini-p4_1xb128-rs-20e_encrypted-fashion-mnist.py
_base_ = ['../_base_/mini_fashion-mnist.py', '../_base_/datasets/encrypted_folder.py']

model = dict(backbone=dict(type='PEViT'))
