# load_from: released YOLOS-base weights, converted.
# tools/dist_train.sh configs/peyolos/peyolos-base-mi-p16_8xb1-150e_coco.py 8
_base_ = './peyolos-small-mi-p16_8xb1-150e_coco.py'

model = dict(backbone=dict(arch='base'))
