"""FashionDet and verify_pipeline.py on a few pictures."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from PIL import Image
from pycocotools.coco import COCO

from helpers import ROOT

BUILD, VERIFY = 'tools/dataset_converters/fashion_det.py', 'tools/misc/verify_pipeline.py'
CONFIGS = sorted(
    str(p.relative_to(ROOT))
    for p in ROOT.glob('configs/*yolos/*.py')
    if 'encrypted' not in p.name and '-rs-' not in p.name
)


@pytest.fixture(scope='module')
def root(tmp_path_factory, digits_root):
    """A data folder whose fashion-mnist holds digits: the same file format, always at hand."""
    root = tmp_path_factory.mktemp('root')
    (root / 'fashion-mnist').symlink_to(digits_root)
    return root


@pytest.fixture
def built(root, tmp_path, call):
    """FashionDet of 12 + 8 pictures."""
    call(BUILD, '--root', root, '--out', tmp_path / 'det', '--train', 12, '--val', 8)
    return tmp_path / 'det'


def test_boxes_are_tight_around_the_masks(built):
    for split, count in (('train', 12), ('val', 8)):
        coco = COCO(str(built / 'annotations' / f'{split}.json'))
        assert len(coco.imgs) == count
        for image_id, image in coco.imgs.items():
            assert Image.open(built / split / image['file_name']).size == (128, 128)
            entries = coco.imgToAnns[image_id]
            assert 1 <= len(entries) <= 5
            masks = [coco.annToMask(entry) for entry in entries]
            assert np.sum(masks, axis=0).max() == 1  # visible pixels belong to one item
            for entry, mask in zip(entries, masks):
                ys, xs = np.nonzero(mask)
                box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
                assert entry['bbox'] == box
                assert entry['area'] == mask.sum()
                assert max(box[2:]) <= 64


def test_the_seed_repeats_it_and_another_does_not(built, root, tmp_path, call):
    for name, seed in (('again', 0), ('other', 1)):
        call(BUILD, '--root', root, '--out', tmp_path / name, '--train', 12, '--val', 8, '--seed', seed)

    def content(folder):
        return {path.name: path.read_bytes() for path in folder.rglob('*') if path.is_file()}

    assert content(tmp_path / 'again') == content(built) != content(tmp_path / 'other')


def test_train_and_val_share_no_photographs():
    import fashion_det

    assert not set(fashion_det.PHOTOS['train']) & set(fashion_det.PHOTOS['val'])
    assert all(min(photo.shape[:2]) >= 128 for split in fashion_det.PHOTOS for photo in fashion_det.photographs(split))


def test_what_is_there_is_not_overwritten(built, root, call):
    before = (built / 'annotations' / 'val.json').read_bytes()
    done = call(BUILD, '--root', root, '--out', built, code=1)
    assert 'exists already; remove it' in done.stderr
    assert (built / 'annotations' / 'val.json').read_bytes() == before


def test_without_fashion_mnist(tmp_path, call):
    done = call(BUILD, '--root', tmp_path, '--out', tmp_path / 'det', code=1)
    assert 'run tools/dataset_converters/fashion_mnist.py first' in done.stderr
    assert not (tmp_path / 'det').exists()


@pytest.mark.parametrize('config', CONFIGS)
def test_truth_survives_every_test_pipeline(built, call, config):
    done = call(VERIFY, config, '--fashion-det', built)
    assert 'AP 1.000, AP50 1.000 on 8 images' in done.stdout


def test_the_transform_that_breaks_it_is_named(built, tmp_path, call):
    """A PatchShuffle without boxes back, behind a sound Resize."""
    config = tmp_path / 'c.py'
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(256, 256), keep_ratio=True),
        dict(type='PatchShuffle', bbox_mode='enclose'),
        dict(type='PackDetInputs'),
    ]
    config.write_text(
        f'_base_ = {str(ROOT / CONFIGS[-1])!r}\ntest_dataloader = dict(dataset=dict(pipeline={pipeline!r}))\n'
    )
    done = call(VERIFY, config, '--fashion-det', built, code=1)
    assert 'PatchShuffle breaks it' in done.stderr


def test_the_classes_are_those_of_mmpretrain_and_of_the_configs(built):
    from mmpretrain.datasets.categories import FASHIONMNIST_CATEGORITES

    names = [entry['name'] for entry in json.loads((built / 'annotations' / 'val.json').read_text())['categories']]
    assert names == list(FASHIONMNIST_CATEGORITES)
    for config in CONFIGS:
        if 'fashion-det' in config:
            assert list(Config.fromfile(ROOT / config).classes) == names


@pytest.mark.parametrize('config', [path for path in CONFIGS if 'mini' in path])
def test_predictions_are_drawn_over_what_the_model_saw_and_over_the_plain_picture(built, tmp_path, call, config):
    """A head that always answers the middle quarter of the picture: its frame stands there in both pictures."""
    cfg = Config.fromfile(ROOT / config)
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    last = model.bbox_head.bbox_embed.layers[2], model.bbox_head.class_embed.layers[2]
    for layer in last:
        torch.nn.init.zeros_(layer.weight)
    last[0].bias.data = torch.tensor([0.0, 0.0, 0.0, 0.0])  # sigmoid: cxcywh of 0.5
    last[1].bias.data = 9.0 * torch.eye(11)[4]
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'a.pth')
    words = ['--images', 2, '--height', 256, '--out', tmp_path / 'a.png']
    changes = [f'test_dataloader.dataset.data_root={built}/']
    call('tools/misc/draw_predictions.py', config, tmp_path / 'a.pth', *words, '--cfg-options', *changes)
    page = np.asarray(Image.open(tmp_path / 'a.png'))
    assert page.shape == (2 * (256 + 22) + 8 + 8, 2 * 264 + 8, 3)
    for top in (8 + 22, 8 + 22 + 256 + 22):
        for left in (8, 8 + 264):
            picture = page[top : top + 256, left : left + 256]
            frame = (picture == [145, 30, 180]).all(-1)  # class 4's colour
            rows, cols = np.nonzero(frame)
            assert (rows.min(), rows.max(), cols.min(), cols.max()) == (64, 192, 64, 192)
