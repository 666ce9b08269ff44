# PatchDetector on FashionDet encrypted with the preset light-v1; AP of the objects that the owner puts together.
# python tools/train.py configs/presets/patch-detector-mini-light-v1-p16_1xb32-50e_fashion-det.py
_base_ = '../patch_detector/patch-detector-mini-rs-p16_1xb32-50e_fashion-det.py'

model = dict(
    data_preprocessor=dict(pad_size_divisor=12),
    backbone=dict(img_size=96, patch_size=12),  # of the encrypted image
)

shuffle = dict(type='PatchShuffle', preset='light-v1')
shuffle_test = dict(shuffle, return_permutation=True)
# without PhotoMetricDistortion: it returns float32, and noise needs integer images
train_dataloader = dict(
    dataset=dict(pipeline=[_base_.load, _base_.annotate, _base_.resize, _base_.flip, shuffle, _base_.pack])
)
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, _base_.resize, shuffle_test, _base_.annotate, _base_.pack]))
test_dataloader = val_dataloader
val_evaluator = dict(gap=2)
test_evaluator = val_evaluator
