# With the reference-based encoding (RPE): the config for released PEViT weights that have a `reference`.
# tools/dist_train.sh configs/pevit/pevit-small-p16-rpe_8xb192-rs-300e_in1k.py 8
_base_ = './pevit-small-p16_8xb192-rs-300e_in1k.py'

model = dict(backbone=dict(reference_encoding=True))
