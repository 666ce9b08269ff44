# Plain baseline of peyolos-mini: plain images, all else equal.
# python tools/train.py configs/yolos/yolos-mini_1xb32-50e_fashion-det.py
_base_ = ['../_base_/mini_fashion-det.py', '../_base_/datasets/fashion_det.py']
