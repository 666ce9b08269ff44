# Plain baseline of pevit-mini on FashionScene: position embedding, plain images, all else equal.
# python tools/train.py configs/vit/vit-mini-p16_1xb64-6e_fashion-scene.py
_base_ = ['../_base_/mini_fashion-scene.py', '../_base_/datasets/fashion_scene.py']

model = dict(backbone=dict(positions=True))
