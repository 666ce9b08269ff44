# tools/dist_train.sh configs/pevit/pevit-tiny-p16_8xb192-rs-300e_in1k.py 8
_base_ = './pevit-base-p16_8xb192-rs-300e_in1k.py'

model = dict(backbone=dict(arch='deit-tiny'), head=dict(in_channels=192))
