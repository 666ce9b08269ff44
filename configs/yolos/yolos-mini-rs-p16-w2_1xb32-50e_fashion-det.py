# YOLOS on FashionDet whose 16-pixel patches are shuffled within windows of 2 x 2; boxes enclose the moved fragments.
# python tools/train.py configs/yolos/yolos-mini-rs-p16-w2_1xb32-50e_fashion-det.py
_base_ = ['../_base_/mini_fashion-det.py', '../_base_/datasets/shuffled_fashion-det.py']

shuffle = dict(type='PatchShuffle', patch_size=16, window=2, bbox_mode='enclose')
train_dataloader = dict(
    dataset=dict(
        pipeline=[_base_.load, _base_.annotate, _base_.resize, _base_.flip, _base_.distort, shuffle, _base_.pack]
    )
)
val_dataloader = dict(dataset=dict(pipeline=[_base_.load, _base_.resize, shuffle, _base_.annotate, _base_.pack]))
test_dataloader = val_dataloader
val_evaluator = dict(bbox_mode='enclose')
test_evaluator = val_evaluator
