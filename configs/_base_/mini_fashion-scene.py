# A small classifier of FashionScene: what PEViT-mini and its plain baseline share. Six epochs, so that a CPU needs
# minutes, on one thread. With a file of datasets/.
default_scope = 'mmpretrain'
custom_imports = dict(imports=['hii_mm.register'], allow_failed_imports=False)

max_epochs = 6

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(
        type='PatchConvViT',  # learns in fewer steps than one filter for a whole patch, as the average does
        arch=dict(embed_dims=96, num_layers=2, num_heads=3, feedforward_channels=192),
        img_size=128,
        patch_size=16,
        patch_dropout=0.5,
        out_type='avg_featmap',
        with_cls_token=False,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes=10,
        in_channels=96,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)

optim_wrapper = dict(
    # Muon for matrices, AdamW with a quarter of its learning rate for the rest: learns from scratch in fewer
    # steps than AdamW alone.
    optimizer=dict(type='hii_mm.FloatMuon', lr=1e-2, weight_decay=0.05, nesterov=True, fallback_lr_scale=0.25),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0.0, T_max=max_epochs, end=max_epochs, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=2)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64)

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=104),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1),
    visualization=dict(type='VisualizationHook'),
)
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
randomness = dict(seed=0)
custom_hooks = [dict(type='hii_mm.TorchThreads', num_threads=1)]  # its operators are tiny; see the hook
