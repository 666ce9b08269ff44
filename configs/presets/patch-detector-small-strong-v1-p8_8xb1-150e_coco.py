# PatchDetector on COCO encrypted with the preset strong-v1: the data and the schedule of YOLOS-S, in half the size,
# so that there are about as many patches of 8 pixels as the other configs have of 16, and as much memory is needed.
# model.backbone.init_cfg: weights of pevit-small-p8_8xb48-strong-v1-300e_in1k.py
# tools/dist_train.sh configs/presets/patch-detector-small-strong-v1-p8_8xb1-150e_coco.py 8
_base_ = '../patch_detector/patch-detector-small-rs-p16_8xb1-150e_coco.py'

model = dict(data_preprocessor=dict(pad_size_divisor=4), backbone=dict(patch_size=4))  # of the encrypted image

sizes = dict(type='RandomChoiceResize', scales=[(side, 667) for side in range(240, 401, 16)], keep_ratio=True)
before_crop = dict(type='RandomChoiceResize', scales=[(200, 667), (250, 667), (300, 667)], keep_ratio=True)
crop = dict(type='RandomCrop', crop_type='absolute_range', crop_size=(192, 300), allow_negative_crop=True)
resize_train = dict(type='RandomChoice', transforms=[[sizes], [before_crop, crop, sizes]])
resize_test = dict(type='Resize', scale=(667, 400), keep_ratio=True)

shuffle = dict(type='PatchShuffle', preset='strong-v1', remainder='crop')
shuffle_test = dict(shuffle, return_permutation=True)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_pipeline[:-2], resize_train, shuffle, _base_.pack]))
val_dataloader = dict(
    dataset=dict(
        pipeline=[*_base_.test_pipeline[:-3], resize_test, shuffle_test, _base_.test_pipeline[-2], _base_.pack_test]
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(patch_size=8, gap=2)
test_evaluator = val_evaluator
