# torchrun --nproc_per_node 8 tools/train.py configs/yolos/yolos-base_8xb1-150e_coco.py --launcher pytorch
_base_ = './yolos-small_8xb1-150e_coco.py'

model = dict(backbone=dict(arch='base'))
