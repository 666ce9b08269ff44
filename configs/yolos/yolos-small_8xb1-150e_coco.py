# YOLOS-S (arXiv 2106.00666) on COCO: the baseline of PEYOLOS, with its schedule, plain images.
# load_from: a released checkpoint through tools/model_converters/to_hii.py --model yolos
# tools/dist_train.sh configs/yolos/yolos-small_8xb1-150e_coco.py 8
_base_ = 'mmdet::detr/detr_r50_8xb2-150e_coco.py'  # for its data sets, crop branch and runtime
custom_imports = dict(imports=['hii_mm.register'], allow_failed_imports=False)

lr = 1e-5
max_epochs = 150
no_decay = dict(decay_mult=0.0)

model = dict(
    _delete_=True,
    type='YOLOS',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=16,
    ),
    backbone=dict(type='YOLOSBackbone', arch='small', img_size=(512, 864), mid_pos_embed=True),
    bbox_head=dict(type='YOLOSHead', num_classes=80),
)

train_dataloader = dict(batch_size=1)

optim_wrapper = dict(
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(
        _delete_=True,
        custom_keys={
            **{f'backbone.{name}': no_decay for name in ('cls_token', 'det_token', 'pos_embed', 'mid_pos_embed')},
            **{name: no_decay for name in ('norm', 'qkv.bias', 'attn.proj.bias', 'fc1.bias', 'fc2.bias')},
            'patch_embed.proj.bias': no_decay,
        },
    ),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=1e-7, T_max=max_epochs, end=max_epochs, by_epoch=True),
]
train_cfg = dict(max_epochs=max_epochs)
auto_scale_lr = dict(base_batch_size=8)
