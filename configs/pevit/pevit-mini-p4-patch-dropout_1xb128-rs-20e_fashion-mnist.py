# pevit-mini that reads a random half of the patches in training, all of them in tests; all else equal.
# python tools/train.py configs/pevit/pevit-mini-p4-patch-dropout_1xb128-rs-20e_fashion-mnist.py
_base_ = './pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py'

model = dict(backbone=dict(patch_dropout=0.5))
