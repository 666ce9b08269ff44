# A small classifier of Fashion-MNIST: what PEViT-mini and its plain baseline share.
# 20 epochs, so that a CPU needs minutes, on one thread. With a file of datasets/.
default_scope = 'mmpretrain'
custom_imports = dict(imports=['hii_mm.register'], allow_failed_imports=False)

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=10, mean=[72.94], std=[90.02]),  # of the 60,000 training images
    backbone=dict(
        arch=dict(embed_dims=64, num_layers=3, num_heads=2, feedforward_channels=128),
        img_size=28,
        patch_size=4,
        in_channels=1,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes=10,
        in_channels=64,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
    init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
)

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0, custom_keys={'.cls_token': dict(decay_mult=0.0)}),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=2e-6, begin=2, end=20, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=39),
    checkpoint=dict(type='CheckpointHook', interval=5, max_keep_ckpts=1),
    visualization=dict(type='VisualizationHook'),
)
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
randomness = dict(seed=0)
custom_hooks = [dict(type='hii_mm.TorchThreads', num_threads=1)]  # its operators are tiny; see the hook
