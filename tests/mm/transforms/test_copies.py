"""A picture of an encrypted copy is not encrypted again."""

import logging

import numpy as np
import pytest
from mmcv.transforms import Compose, LoadImageFromFile
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpretrain.apis import ImageClassificationInferencer
from PIL import Image

import hii_mm
from hii_mm.errors import InvalidValueError
from hii_mm.transforms import PatchMixup, PatchShuffle
from hii_mm.transforms.copies import _log_unseen

ARCH = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)


@pytest.fixture(scope='module')
def folders(tmp_path_factory, photo):
    """Folders 'plain' and 'copy', with a picture 'a/b.png' each."""
    root = tmp_path_factory.mktemp('twice')
    (root / 'plain' / 'a').mkdir(parents=True)
    Image.fromarray(photo[:64, :64]).save(root / 'plain' / 'a' / 'b.png')
    hii_mm.write_new_key(root / 'key')
    hii_mm.encrypt(root / 'plain', root / 'copy', scheme=hii_mm.Scheme(16), key=root / 'key')
    return root


@pytest.mark.parametrize('transform', [PatchShuffle, PatchMixup])
def test_a_file_of_a_copy_is_refused(folders, transform, monkeypatch):
    load = LoadImageFromFile()
    encrypted = next((folders / 'copy').rglob('*.png'))
    for path in (str(encrypted), encrypted.name):  # also from within the copy
        monkeypatch.chdir(encrypted.parent)
        with pytest.raises(InvalidValueError, match=f'would encrypt it again: leave {transform.__name__} out'):
            Compose([load, transform(16)])(dict(img_path=path))
    before = load(dict(img_path=str(encrypted)))['img']
    assert not np.array_equal(
        Compose([load, transform(16, strict=False)])(dict(img_path=str(encrypted)))['img'], before
    )


@pytest.mark.parametrize('transform', [PatchShuffle, PatchMixup])
def test_plain_files_and_pictures_without_a_file_pass(folders, transform, monkeypatch, photo):
    monkeypatch.chdir(folders / 'copy')  # 'array 0' is the name that an inferencer gives
    for results in (dict(img_path=str(folders / 'plain' / 'a' / 'b.png')), dict(img_path='array 0'), {}):
        transform(16)(dict(results, img=photo[:64, :64]))


def test_the_inferencer_of_mmpretrain_is_warned_of(folders, capfd):
    """It passes pixels alone. The newcomer's case: a picture of a copy, to a config that encrypts."""
    encrypted = str(next((folders / 'copy').rglob('*.png')))
    steps = [dict(type='LoadImageFromFile'), dict(type='PatchShuffle', patch_size=16), dict(type='PackInputs')]
    backbone = dict(type='hii_mm.PEViT', arch=ARCH, img_size=64, patch_size=16)
    head = dict(type='VisionTransformerClsHead', num_classes=2, in_channels=16)
    cfg = Config(
        dict(
            model=dict(type='ImageClassifier', backbone=backbone, head=head),
            test_dataloader=dict(dataset=dict(type='CustomDataset', pipeline=steps)),
            default_scope='mmpretrain',
        )
    )
    _log_unseen.cache_clear()
    MMLogger.get_instance('unseen', logger_name='unseen', log_level=logging.WARNING)
    answer = ImageClassificationInferencer(cfg, pretrained=False, device='cpu')([encrypted, encrypted])
    out, err = capfd.readouterr()
    assert len(answer) == 2 and (out + err).count('use HIIClassifier of hii_mm.inference.classifier') == 1
