# ViT-B with positions on ImageNet-1k whose 16-pixel patches are mixed from 2 x 2 sub-patches; the paper reports
# 78.0 top-1 (DeiT-B on plain images: 81.8). Paper: arXiv 2306.03679; recipe: DeiT's (arXiv 2012.12877).
# tools/dist_train.sh configs/vit/vit-base-p16_8xb192-mi-300e_in1k.py 8
_base_ = '../pevit/pevit-base-p16_8xb192-rs-300e_in1k.py'

mix = dict(type='PatchMixup', patch_size=16, grid=2)
train_pipeline = [*_base_.train_pipeline[:-2], mix, _base_.train_pipeline[-1]]
test_pipeline = [*_base_.test_pipeline[:-2], mix, _base_.test_pipeline[-1]]

model = dict(
    backbone=dict(type='VisionTransformer', img_size=112, patch_size=8),  # of the mixed image
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]),  # patches stay in place
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
