# With the reference-based encoding (RPE): the config for released PEViT weights that have a `reference`.
# torchrun --nproc_per_node 8 tools/train.py configs/pevit/pevit-small-p16-rpe_8xb192-rs-300e_in1k.py --launcher pytorch
_base_ = './pevit-small-p16_8xb192-rs-300e_in1k.py'

model = dict(backbone=dict(reference_encoding=True))
