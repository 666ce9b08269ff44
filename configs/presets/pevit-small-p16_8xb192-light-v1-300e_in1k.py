# PEViT-S on ImageNet-1k encrypted with the preset light-v1; the recipe of the paper's setting.
# tools/dist_train.sh configs/presets/pevit-small-p16_8xb192-light-v1-300e_in1k.py 8
_base_ = '../pevit/pevit-small-p16_8xb192-rs-300e_in1k.py'

shuffle = dict(type='PatchShuffle', preset='light-v1')
train_pipeline = [*_base_.train_pipeline[:-2], shuffle, _base_.train_pipeline[-1]]
test_pipeline = [*_base_.test_pipeline[:-2], shuffle, _base_.test_pipeline[-1]]

model = dict(
    backbone=dict(img_size=168, patch_size=12),  # of the encrypted image
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='PatchCutMix', alpha=1.0, patch_size=12)]),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
