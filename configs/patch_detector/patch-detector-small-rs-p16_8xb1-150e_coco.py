# PatchDetector on COCO whose 16-pixel patches are shuffled: the data and the schedule of YOLOS-S.
# model.backbone.init_cfg: a PEViT that was trained on shuffled ImageNet (configs/pevit)
# tools/dist_train.sh configs/patch_detector/patch-detector-small-rs-p16_8xb1-150e_coco.py 8
_base_ = '../yolos/yolos-small_8xb1-150e_coco.py'

max_epochs = 150
shuffle = dict(type='PatchShuffle', patch_size=16, remainder='crop')
shuffle_test = dict(shuffle, return_permutation=True)
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'gt_instance_ids', 'gt_ignore_flags')
pack = dict(type='PackDetInputs', meta_keys=meta_keys)
pack_test = dict(pack, meta_keys=(*meta_keys, 'permutation'))

model = dict(
    _delete_=True,
    type='PatchDetector',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=dict(type='PEViT', arch='deit-small', patch_size=16, out_type='featmap'),
    bbox_head=dict(type='PatchHead', num_classes=80),
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(
        _delete_=True,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={'backbone.cls_token': dict(lr_mult=0.1, decay_mult=0.0), 'backbone': dict(lr_mult=0.1)},
    ),
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_pipeline[:-1], shuffle, pack]))
val_dataloader = dict(
    dataset=dict(pipeline=[*_base_.test_pipeline[:-2], shuffle_test, _base_.test_pipeline[-2], pack_test])
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ShuffledCocoMetric', patch_size=16)
test_evaluator = val_evaluator
