# PEViT-B on ImageNet-1k with shuffled 16-pixel patches; the paper reports 78.7 top-1 without RPE.
# Paper: arXiv 2306.03679; recipe: DeiT's (arXiv 2012.12877), CutMix by whole patches.
# tools/dist_train.sh configs/pevit/pevit-base-p16_8xb192-rs-300e_in1k.py 8
_base_ = 'mmpretrain::deit/deit-base_16xb64_in1k.py'
custom_imports = dict(imports=['hii_mm.register'], allow_failed_imports=False)

lr = 5e-4 * 8 * 192 / 512
shuffle = dict(type='PatchShuffle', patch_size=16)
train_pipeline = [*_base_.train_pipeline[:-1], shuffle, _base_.train_pipeline[-1]]
test_pipeline = [*_base_.test_pipeline[:-1], shuffle, _base_.test_pipeline[-1]]

model = dict(
    backbone=dict(type='PEViT'),
    train_cfg=dict(
        augments=[dict(type='Mixup', alpha=0.8), dict(type='PatchCutMix', alpha=1.0, patch_size=16)],
    ),
)

train_dataloader = dict(
    batch_size=192,
    sampler=dict(_delete_=True, type='RepeatAugSampler', num_repeats=3),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(batch_size=192, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=lr), clip_grad=None)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / lr, by_epoch=True, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=5),
]
auto_scale_lr = dict(base_batch_size=8 * 192)
