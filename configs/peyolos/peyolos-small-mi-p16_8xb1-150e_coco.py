# PEYOLOS (arXiv 2306.03679) on COCO whose 16-pixel patches are mixed from 2 x 2 sub-patches.
# load_from: released YOLOS-small weights, converted; the new patch embedding starts from scratch at ten times the rate.
# tools/dist_train.sh configs/peyolos/peyolos-small-mi-p16_8xb1-150e_coco.py 8
_base_ = '../yolos/yolos-small_8xb1-150e_coco.py'

mix = dict(type='PatchMixup', patch_size=16, grid=2, remainder='pad')
train_pipeline = [*_base_.train_pipeline[:-1], mix, _base_.train_pipeline[-1]]
test_pipeline = [*_base_.test_pipeline[:2], mix, *_base_.test_pipeline[2:]]  # truth stays in the original frame

model = dict(
    type='PEYOLOS',
    data_preprocessor=dict(pad_size_divisor=8),
    backbone=dict(patch_embed=dict(type='MixedPatchEmbed', grid=2)),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'proj_siat.weight': dict(lr_mult=10.0),
            'proj_siat.bias': dict(lr_mult=10.0, decay_mult=0.0),
            'proj_siat_embed.weight': dict(lr_mult=10.0),
            'proj_siat_embed.bias': dict(lr_mult=10.0, decay_mult=0.0),
        }
    )
)
