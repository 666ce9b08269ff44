# tools/dist_train.sh configs/yolos/yolos-tiny_8xb1-300e_coco.py 8
_base_ = './yolos-small_8xb1-150e_coco.py'

max_epochs = 300
model = dict(backbone=dict(arch='tiny', mid_pos_embed=False))

scales = [(side, 1333) for side in range(256, 609, 32)]
resize = dict(type='RandomChoiceResize', scales=scales, keep_ratio=True)
crop_branch = [
    dict(type='RandomChoiceResize', scales=[(400, 1333), (500, 1333), (600, 1333)], keep_ratio=True),
    dict(type='RandomCrop', crop_type='absolute_range', crop_size=(384, 600), allow_negative_crop=True),
    resize,
]
train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(type='RandomChoice', transforms=[[resize], crop_branch]),
    _base_.train_pipeline[-1],
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='Resize', scale=(1333, 512), keep_ratio=True),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=1e-7, T_max=max_epochs, end=max_epochs, by_epoch=True),
]
train_cfg = dict(max_epochs=max_epochs)
