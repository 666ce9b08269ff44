# tools/dist_train.sh configs/yolos/yolos-base_8xb1-150e_coco.py 8
_base_ = './yolos-small_8xb1-150e_coco.py'

model = dict(backbone=dict(arch='base'))
