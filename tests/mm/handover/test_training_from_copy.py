"""Train from a copy that ``encrypt`` wrote."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from PIL import Image

import hii_mm
from helpers import ROOT
from hii_mm import Scheme
from hii_mm.training.hooks import CheckEncryption

FOLDER = 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_encrypted-fashion-mnist.py'
DETECTION = 'configs/peyolos/peyolos-mini-mi-p16_1xb32-50e_encrypted-fashion-det.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory, digits_root):
    """A key, digits as class folders, a small FashionDet, and encrypted copies of both."""
    root = tmp_path_factory.mktemp('copies')
    key = root / 'key'
    hii_mm.write_new_key(key)
    images = np.frombuffer((digits_root / 'train-images-idx3-ubyte').read_bytes()[16:], np.uint8).reshape(-1, 28, 28)
    labels = (digits_root / 'train-labels-idx1-ubyte').read_bytes()[8:]
    for i in range(200):
        path = root / 'digits' / str(labels[i]) / f'{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[i]).save(path)
    (root / 'data').mkdir()
    (root / 'data' / 'fashion-mnist').symlink_to(digits_root)
    words = ['--root', root / 'data', '--out', root / 'det', '--train', '34', '--val', '6']
    subprocess.run([sys.executable, ROOT / 'tools/dataset_converters/fashion_det.py', *words], check=True)
    for part in ('train', 'val'):
        hii_mm.encrypt(root / 'digits', root / 'folder' / part, key=key, scheme=Scheme(4))
        truth = [root / 'det' / 'annotations' / f'{part}.json']
        scheme = Scheme(16, strategy='mixup')
        hii_mm.encrypt(root / 'det' / part, root / 'mixed' / part, key=key, scheme=scheme, annotations=truth)
    return root


def flags(root, detection):
    """Flags that put a config on the copies and make it one short epoch."""
    kind, places = 'mixed' if detection else 'folder', {'train': 'train', 'val': 'val', 'test': 'val'}
    out = [f'{part}_dataloader.dataset.data_root={root}/{kind}/{where}/' for part, where in places.items()]
    out += ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'default_hooks.checkpoint.interval=1']
    if detection:
        out += [f'{kind}_evaluator.ann_file={root}/mixed/val/annotations/val.json' for kind in ('val', 'test')]
    return ['--cfg-options', *out]


@pytest.mark.parametrize('config, figure', [(FOLDER, 'accuracy/top1'), (DETECTION, 'coco/bbox_mAP')])
def test_a_copy_trains_and_evaluates(run, root, tmp_path, config, figure):
    done = run('tools/train.py', config, '--work-dir', tmp_path, *flags(root, config == DETECTION))
    said = done.stdout + done.stderr
    assert figure in said
    assert 'no pipeline has a PatchMixup' not in said
    assert list(tmp_path.glob('epoch_1.pth'))


def check(path, root, **change):
    """Run the hook on a config whose data sets are the copies; loaders that are not built are checked from it."""
    cfg = Config.fromfile(ROOT / path)
    cfg.merge_from_dict(dict(word.split('=', 1) for word in flags(root, path == DETECTION)[1:] if 'data_root' in word))
    cfg.merge_from_dict(change)
    init_default_scope(cfg.default_scope)
    loops = dict(_train_loop=None, _val_loop=None, _test_loop=None)
    CheckEncryption().before_run(SimpleNamespace(cfg=cfg, model=MODELS.build(cfg.model), hooks=[], **loops))


def test_what_does_not_fit_is_refused_with_both_values(root):
    check(FOLDER, root)
    check(DETECTION, root)
    with pytest.raises(
        ValueError, match=r'encrypted patches of 4 x 4 \(h x w\), but the backbone reads patches of 7 x 7'
    ):
        check(FOLDER, root, **{'model.backbone.patch_size': 7})
    with pytest.raises(ValueError, match='grid 2, but the model reads images mixed with grid 4'):
        check(DETECTION, root, **{'model.backbone.patch_embed.grid': 4, 'model.backbone.patch_size': 32})
    swapped = {'train_dataloader.dataset.data_root': f'{root}/folder/train'}
    with pytest.raises(
        ValueError, match="strategy 'shuffle' and grid None, but the model reads images mixed with grid 2"
    ):
        check(DETECTION, root, **swapped)
    with pytest.raises(ValueError, match='would encrypt it again: remove PatchShuffle'):
        again = [dict(type='LoadImageFromFile'), dict(type='PatchShuffle', patch_size=4), dict(type='PackInputs')]
        check(FOLDER, root, **{'train_dataloader.dataset.pipeline': again})


def test_a_damaged_manifest_stops_the_run(root, tmp_path):
    (tmp_path / 'manifest.json').write_text(json.dumps(dict(schema='else')))
    with pytest.raises(ValueError, match='manifest.json. is not a manifest'):
        check(FOLDER, root, **{'train_dataloader.dataset.data_root': str(tmp_path)})
