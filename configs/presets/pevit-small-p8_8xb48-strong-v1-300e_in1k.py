# PEViT-S on ImageNet-1k encrypted with the preset strong-v1; the recipe of the paper's setting.
# There are four times as many patches as of 16 pixels, so four batches of 48 images take the place of one of 192.
# tools/dist_train.sh configs/presets/pevit-small-p8_8xb48-strong-v1-300e_in1k.py 8
_base_ = '../pevit/pevit-small-p16_8xb192-rs-300e_in1k.py'

shuffle = dict(type='PatchShuffle', preset='strong-v1')
train_pipeline = [*_base_.train_pipeline[:-2], shuffle, _base_.train_pipeline[-1]]
test_pipeline = [*_base_.test_pipeline[:-2], shuffle, _base_.test_pipeline[-1]]

model = dict(
    backbone=dict(img_size=112, patch_size=4),  # of the encrypted image
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='PatchCutMix', alpha=1.0, patch_size=4)]),
)
train_dataloader = dict(batch_size=48, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=48, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(accumulative_counts=4)
auto_scale_lr = dict(base_batch_size=8 * 48)
