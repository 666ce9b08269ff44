# FashionDet with shuffled patches, boxes cut into fragments, and the metric that puts predicted fragments together.
_base_ = './fashion_det.py'

shuffle = dict(type='PatchShuffle', patch_size=16)
meta_keys = (*_base_.meta_keys, 'gt_instance_ids', 'permutation')
pack = dict(type='PackDetInputs', meta_keys=meta_keys)
train_dataloader = dict(
    dataset=dict(pipeline=[_base_.load, _base_.annotate, _base_.resize, _base_.flip, _base_.distort, shuffle, pack])
)
val_dataloader = dict(
    dataset=dict(pipeline=[_base_.load, _base_.resize, dict(shuffle, return_permutation=True), _base_.annotate, pack])
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ShuffledCocoMetric', patch_size=16)
test_evaluator = val_evaluator
