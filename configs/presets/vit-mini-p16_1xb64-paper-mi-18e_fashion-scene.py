# A ViT with positions on FashionScene encrypted with the preset paper-mi (arXiv 2306.03679), for eighteen epochs.
# python tools/train.py configs/presets/vit-mini-p16_1xb64-paper-mi-18e_fashion-scene.py
_base_ = './vit-mini-p16_1xb64-paper-mi-6e_fashion-scene.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0.0, T_max=18, end=18, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=18)
