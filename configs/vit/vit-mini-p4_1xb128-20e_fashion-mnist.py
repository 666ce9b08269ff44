# Plain baseline of pevit-mini: position embedding, plain images, all else equal.
# python tools/train.py configs/vit/vit-mini-p4_1xb128-20e_fashion-mnist.py
_base_ = ['../_base_/mini_fashion-mnist.py', '../_base_/datasets/fashion_mnist.py']

model = dict(backbone=dict(type='VisionTransformer'))
