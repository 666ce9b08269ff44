# Image folders that hii-mm encrypt wrote: <root>/{train,val}/<class>/<name>.png, each with its manifest.json, whose
# parameters are compared with the model before a run. In place of another file of datasets/.
data_root = 'data/encrypted/fashion-mnist/'

load = dict(type='LoadImageFromFile', color_type='grayscale')  # 'color' for RGB
flip = dict(type='RandomFlip', prob=0.5, direction='horizontal')  # mirrors every patch: still patches of a picture
pack = dict(type='PackInputs')

train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root=data_root + 'train', pipeline=[load, flip, pack]),
)
val_dataloader = dict(
    batch_size=500,
    num_workers=1,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root=data_root + 'val', test_mode=True, pipeline=[load, pack]),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
