"""Checkpoints of random weights, pictures and copies of them, for all tests of predictions."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

import hii_mm
import hii_mm.register  # noqa: F401
from helpers import ROOT

CLASSES = [f'class {k}' for k in range(10)]
CONFIGS = {
    'pevit': 'pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py',
    'mixed-vit': 'vit/vit-mini-p4_1xb128-mi-20e_fashion-mnist.py',
    'peyolos': 'peyolos/peyolos-mini-mi-p16_1xb32-50e_fashion-det.py',
    'yolos': 'yolos/yolos-mini_1xb32-50e_fashion-det.py',
    'patch-detector': 'patch_detector/patch-detector-mini-rs-p16_1xb32-50e_fashion-det.py',
}


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory):
    """{name: path} of checkpoints as mmengine writes them, of random weights that tell classes apart."""
    folder, found = tmp_path_factory.mktemp('checkpoints'), {}
    for name, file in CONFIGS.items():
        cfg = Config.fromfile(ROOT / 'configs' / file)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(cfg.model)
        torch.manual_seed(0)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.2)
        meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=CLASSES))
        torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / f'{name}.pth')
        found[name] = folder / f'{name}.pth'
    return found


@pytest.fixture(scope='session')
def photos(tmp_path_factory, photo):
    """A folder with three pictures of 128 x 128, one of them in a folder of its own."""
    folder = tmp_path_factory.mktemp('photos')
    (folder / 'below').mkdir()
    for name, top in (('a', 0), ('b', 100), ('below/c', 300)):
        Image.fromarray(photo[top : top + 128, 60:188]).save(folder / f'{name}.png')
    return folder


@pytest.fixture(scope='session')
def copies(tmp_path_factory, photos):
    """Copies of the photos, with their key: shuffled by 4, mixed, shuffled by 16."""
    folder = tmp_path_factory.mktemp('copies')
    key = folder / 'key'
    hii_mm.write_new_key(key)
    schemes = {'rs4': hii_mm.Scheme(4), 'mi': hii_mm.Scheme(16, strategy='mixup', grid=2), 'rs16': hii_mm.Scheme(16)}
    for name, scheme in schemes.items():
        hii_mm.encrypt(photos, folder / name, scheme=scheme, key=key)
    return folder
