"""CheckEncryption: on models and configs directly, and in a real run of tools/train.py."""

import logging
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from conftest import ROOT
from hii_mm.hooks import CheckEncryption

CONFIG = 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_digits.py'
PACK = dict(type='PackInputs')


def check(train_pipeline=None, **backbone):
    """The hook's look at a config and its model, both changed a little."""
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.update(backbone)
    if train_pipeline:
        cfg.train_dataloader.dataset.pipeline = train_pipeline
    CheckEncryption().before_run(SimpleNamespace(cfg=cfg, model=MODELS.build(cfg.model)))


def test_a_sound_config_passes(caplog):
    check()
    check([dict(type='PatchShuffle', patch_size=6, gap=1), PACK])
    assert 'position embedding' not in caplog.text


@pytest.mark.parametrize(
    'shuffle, left',
    [
        (dict(patch_size=7), 'patch_size=7) leaves patches of 7 x 7'),
        (dict(patch_size=7, gap=1), 'patch_size=7, gap=1) leaves patches of 5 x 5'),
        (dict(patch_size=(4, 8)), 'leaves patches of 4 x 8'),
    ],
)
def test_a_model_with_other_patches_is_refused(shuffle, left):
    with pytest.raises(ValueError) as error:
        check([dict(type='hii_mm.PatchShuffle', **shuffle), PACK])
    assert f'{left} (h x w), but the backbone reads patches of 4 x 4' in str(error.value)


def test_every_problem_is_listed():
    late = [dict(type='PatchShuffle', patch_size=7), dict(type='RandomFlip'), dict(type='CenterCrop'), PACK]
    with pytest.raises(ValueError) as error:
        check(late)
    lines = str(error.value).splitlines()
    assert [line.split()[2] for line in lines[1:]] == ['RandomFlip', 'CenterCrop', 'PatchShuffle(patch_size=7)']


def test_a_position_embedding_is_warned_of(capfd):
    from mmengine.logging import MMLogger

    MMLogger.get_instance('test_hooks', logger_name='test_hooks', log_level=logging.WARNING)
    check(type='VisionTransformer')
    said = ''.join(capfd.readouterr())
    assert 'VisionTransformer adds a position embedding to every patch, but PatchShuffle' in said
    assert "Use type='PEViT'" in said


def test_tools_train_refuses_before_it_trains(run, tmp_path, digits_root):
    late = [dict(type='PatchShuffle', patch_size=4), dict(type='RandomFlip', prob=0.0), PACK]
    config = tmp_path / 'config.py'
    data = dict(data_root=str(digits_root), indices=64)
    config.write_text(
        f"_base_ = '{ROOT / CONFIG}'\n"
        f'train_dataloader = dict(dataset={data!r})\n'
        f'val_dataloader = dict(dataset=dict(pipeline={late!r}, **{data!r}))\n'
    )
    done = run('tools/train.py', config, '--work-dir', tmp_path / 'work', code=1)
    assert 'val_dataloader.dataset.pipeline: RandomFlip comes after PatchShuffle' in done.stderr
    assert not list((tmp_path / 'work').glob('*.pth'))
