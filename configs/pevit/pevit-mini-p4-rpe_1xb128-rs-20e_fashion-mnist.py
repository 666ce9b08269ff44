# pevit-mini with reference-based encoding (RPE, arXiv 2306.03679), all else equal.
# python tools/train.py configs/pevit/pevit-mini-p4-rpe_1xb128-rs-20e_fashion-mnist.py
_base_ = './pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py'

model = dict(backbone=dict(reference_encoding=True))
