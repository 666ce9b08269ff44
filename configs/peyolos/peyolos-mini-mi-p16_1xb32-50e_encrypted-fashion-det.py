# peyolos-mini on a copy of FashionDet that hii-mm encrypt --strategy mixup wrote (docs/guides/owners.md).
# python tools/train.py configs/peyolos/peyolos-mini-mi-p16_1xb32-50e_encrypted-fashion-det.py
_base_ = ['../_base_/mini_fashion-det.py', '../_base_/datasets/encrypted_coco.py']

model = dict(
    type='PEYOLOS',
    data_preprocessor=dict(pad_size_divisor=8),
    backbone=dict(patch_embed=dict(type='MixedPatchEmbed', grid=2)),
)
