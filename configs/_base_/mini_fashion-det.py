# FashionDet (tools/dataset_converters/fashion_det.py): what YOLOS-mini and PEYOLOS-mini share. One thread.
default_scope = 'mmdet'
custom_imports = dict(imports=['hii_mm.register'], allow_failed_imports=False)

max_epochs = 50

model = dict(
    type='YOLOS',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=16,
    ),
    backbone=dict(type='YOLOSBackbone', arch=(96, 4, 6), img_size=(128, 128), num_det_tokens=12, from_scratch=True),
    bbox_head=dict(
        type='YOLOSHead', num_classes=10, init_cfg=dict(type='Xavier', layer='Linear', distribution='uniform')
    ),
    patch_loss_weight=1.0,
)

optim_wrapper = dict(
    type='OptimWrapper',
    # Muon for matrices, AdamW with a quarter of its learning rate for the rest: learns from scratch in fewer
    # steps than AdamW alone.
    optimizer=dict(type='hii_mm.FloatMuon', lr=4e-3, weight_decay=0.05, nesterov=True, fallback_lr_scale=0.25),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=500, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, T_max=max_epochs, end=max_epochs, by_epoch=True),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=32)

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50),
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=1),
    visualization=dict(type='DetVisualizationHook'),
)
visualizer = dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
randomness = dict(seed=0)
custom_hooks = [dict(type='hii_mm.TorchThreads', num_threads=1)]  # its operators are tiny; see the hook
