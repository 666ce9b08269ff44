# As the Fashion-MNIST config, on scikit-learn's 1,797 digits: what `make demo` falls back to. No network is needed.
# hii-mm mm hii_mm/dataset_converters/fashion_mnist --digits
# hii-mm mm hii_mm/train hii_mm::pevit/pevit-mini-p4_1xb128-rs-20e_digits.py
_base_ = './pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py'

digits = dict(type='MNIST', data_root='data/digits', indices=None)
train_dataloader = dict(batch_size=32, dataset=digits)
val_dataloader = dict(dataset=digits)
test_dataloader = val_dataloader
