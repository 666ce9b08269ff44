# PEYOLOS (arXiv 2306.03679) on FashionDet whose 16-pixel patches are mixed from 2 x 2 sub-patches.
# python tools/train.py configs/peyolos/peyolos-mini-mi-p16_1xb32-50e_fashion-det.py
_base_ = ['../_base_/mini_fashion-det.py', '../_base_/datasets/fashion_det.py']

mix = dict(type='PatchMixup', patch_size=16, grid=2)
model = dict(
    type='PEYOLOS',
    data_preprocessor=dict(pad_size_divisor=8),
    backbone=dict(patch_embed=dict(type='MixedPatchEmbed', grid=2)),
)
train_dataloader = dict(
    dataset=dict(pipeline=[_base_.load, _base_.annotate, _base_.resize, _base_.flip, _base_.distort, mix, _base_.pack])
)
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, _base_.resize, mix, _base_.annotate, _base_.pack]))
test_dataloader = val_dataloader
