# PEViT (arXiv 2306.03679) on FashionScene whose 16-pixel patches are shuffled, for eighteen epochs.
# python tools/train.py configs/pevit/pevit-mini-p16_1xb64-rs-18e_fashion-scene.py
_base_ = './pevit-mini-p16_1xb64-rs-6e_fashion-scene.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0.0, T_max=18, end=18, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=18)
