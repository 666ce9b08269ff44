# PEViT on FashionScene encrypted with the preset strong-v1, for eighteen epochs.
# python tools/train.py configs/presets/pevit-mini-p8_1xb64-strong-v1-18e_fashion-scene.py
_base_ = './pevit-mini-p8_1xb64-strong-v1-6e_fashion-scene.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0.0, T_max=18, end=18, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=18)
