# YOLOS without positions between patches, whose detection tokens point at patches, on FashionDet with shuffled patches.
# python tools/train.py configs/yolos/pointing-yolos-mini-rs-p16_1xb32-50e_fashion-det.py
_base_ = ['../_base_/mini_fashion-det.py', '../_base_/datasets/shuffled_fashion-det.py']

model = dict(
    type='PointingYOLOS',
    # an object is up to 25 fragments, and an image holds up to 5
    backbone=dict(type='PointingYOLOSBackbone', num_det_tokens=100),
    bbox_head=dict(type='PointingYOLOSHead'),
    patch_loss_weight=0.0,  # a patch does not know its place
)
