# load_from: released YOLOS-base weights, converted.
# torchrun --nproc_per_node 8 tools/train.py configs/peyolos/peyolos-base-mi-p16_8xb1-150e_coco.py --launcher pytorch
_base_ = './peyolos-small-mi-p16_8xb1-150e_coco.py'

model = dict(backbone=dict(arch='base'))
