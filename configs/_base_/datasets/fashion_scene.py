# FashionScene (tools/dataset_converters/fashion_scene.py): 20,000 and 4,000 images of 128 x 128. Mirrored and shifted
# by up to 8 pixels before anything is encrypted.
load = dict(type='LoadImageFromFile')
augment = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomCrop', crop_size=128, padding=8, padding_mode='edge'),
]
pack = dict(type='PackInputs')

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root='data/fashion-scene/train', pipeline=[load, *augment, pack]),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root='data/fashion-scene/val', test_mode=True, pipeline=[load, pack]),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
