# ViT with positions on Fashion-MNIST whose 4-pixel patches are mixed from 2 x 2 sub-patches (arXiv 2306.03679).
# python tools/train.py configs/vit/vit-mini-p4_1xb128-mi-20e_fashion-mnist.py
_base_ = './vit-mini-p4_1xb128-20e_fashion-mnist.py'

model = dict(backbone=dict(img_size=14, patch_size=2))  # of the mixed image

mix = dict(type='PatchMixup', patch_size=4, grid=2)
train_dataloader = dict(dataset=dict(pipeline=[_base_.flip, mix, _base_.pack]))
val_dataloader = dict(dataset=dict(pipeline=[mix, _base_.pack]))
test_dataloader = val_dataloader
