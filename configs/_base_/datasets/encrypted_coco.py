# A COCO data set that hii-mm encrypt wrote: <root>/{train,val}, each with its annotations and manifest.json, whose
# parameters are compared with the model before a run. In place of another file of datasets/. Boxes are those of the
# encrypted images.
data_root = 'data/encrypted/fashion-det/'
classes = (
    'T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot',
)  # fmt: skip

load = dict(type='LoadImageFromFile')
annotate = dict(type='LoadAnnotations', with_bbox=True)
flip = dict(type='RandomFlip', prob=0.5)  # a mirrored copy is a copy of the mirrored image, for shuffle and mixup
distort = dict(type='PhotoMetricDistortion')
pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        metainfo=dict(classes=classes),
        data_root=data_root + 'train/',
        ann_file='annotations/train.json',
        data_prefix=dict(img=''),
        pipeline=[load, annotate, flip, distort, pack],
    ),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        metainfo=dict(classes=classes),
        data_root=data_root + 'val/',
        ann_file='annotations/val.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=[load, annotate, pack],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', ann_file=data_root + 'val/annotations/val.json', metric='bbox')
test_evaluator = val_evaluator
