# PatchDetector on FashionDet encrypted with the preset strong-v1; AP of the objects that the owner puts together.
# python tools/train.py configs/presets/patch-detector-mini-strong-v1-p8_1xb32-50e_fashion-det.py
_base_ = '../patch_detector/patch-detector-mini-rs-p16_1xb32-50e_fashion-det.py'

model = dict(
    data_preprocessor=dict(pad_size_divisor=4),
    backbone=dict(img_size=64, patch_size=4),  # of the encrypted image
)

shuffle = dict(type='PatchShuffle', preset='strong-v1')
shuffle_test = dict(shuffle, return_permutation=True)
train_dataloader = dict(
    dataset=dict(
        pipeline=[_base_.load, _base_.annotate, _base_.resize, _base_.flip, _base_.distort, shuffle, _base_.pack]
    )
)
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, _base_.resize, shuffle_test, _base_.annotate, _base_.pack]))
test_dataloader = val_dataloader
val_evaluator = dict(patch_size=8, gap=2)
test_evaluator = val_evaluator
