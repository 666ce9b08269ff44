# PatchDetector on FashionDet whose 16-pixel patches are shuffled; AP of the objects that the owner puts together.
# python tools/train.py configs/patch_detector/patch-detector-mini-rs-p16_1xb32-50e_fashion-det.py
_base_ = ['../_base_/mini_fashion-det.py', '../_base_/datasets/shuffled_fashion-det.py']

model = dict(
    _delete_=True,
    type='PatchDetector',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=dict(
        type='StemPEViT',
        arch=dict(embed_dims=96, num_layers=4, num_heads=6, feedforward_channels=384),
        img_size=128,
        patch_size=16,
        out_type='featmap',
        init_cfg=[
            dict(type='Xavier', layer='Linear', distribution='uniform'),
            dict(type='Kaiming', layer='Conv2d'),
        ],
    ),
    bbox_head=dict(
        type='PatchHead', num_classes=10, init_cfg=dict(type='Xavier', layer='Linear', distribution='uniform')
    ),
)
