# PatchDetector on COCO encrypted with the preset strong-v1: the data and the schedule of YOLOS-S.
# model.backbone.init_cfg: weights of pevit-small-p16_8xb192-strong-v1-300e_in1k.py
# tools/dist_train.sh configs/presets/patch-detector-small-strong-v1-p16_8xb1-150e_coco.py 8
_base_ = '../patch_detector/patch-detector-small-rs-p16_8xb1-150e_coco.py'

model = dict(data_preprocessor=dict(pad_size_divisor=12), backbone=dict(patch_size=12))  # of the encrypted image

shuffle = dict(type='PatchShuffle', preset='strong-v1', remainder='crop')
shuffle_test = dict(shuffle, return_permutation=True)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_pipeline[:-1], shuffle, _base_.pack]))
val_dataloader = dict(
    dataset=dict(pipeline=[*_base_.test_pipeline[:-2], shuffle_test, _base_.test_pipeline[-2], _base_.pack_test])
)
test_dataloader = val_dataloader
val_evaluator = dict(gap=2)
test_evaluator = val_evaluator
