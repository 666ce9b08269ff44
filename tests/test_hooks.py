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


def detection(kind, change):
    """A tiny detector's config with ``change`` made to it, and the hook's look at both."""
    init_default_scope('mmdet')
    (path,) = ROOT.glob(f'configs/{kind}/{kind}-mini*_fashion-det.py')
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(change)
    CheckEncryption().before_run(SimpleNamespace(cfg=cfg, model=MODELS.build(cfg.model)))


def test_patches_of_detectors_are_compared():
    detection('peyolos', {})
    with pytest.raises(ValueError, match='leaves patches of 8 x 8 .* reads patches of 4 x 4'):
        detection('peyolos', {'model.backbone.patch_size': 8})
    with pytest.raises(ValueError, match='mix_inside=True would mix them again'):
        detection('peyolos', {'model.backbone.patch_embed.mix_inside': True})


def test_a_peyolos_fed_plain_images_is_warned_of(capfd):
    from mmengine.logging import MMLogger

    MMLogger.get_instance('test_plain', logger_name='test_plain', log_level=logging.WARNING)
    plain = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]
    loaders = {f'{part}_dataloader.dataset.pipeline': plain for part in ('train', 'val', 'test')}
    detection('peyolos', {**loaders, 'model.backbone.patch_embed.mix_inside': True})
    detection('yolos', loaders)
    assert 'no pipeline has a PatchMixup' not in ''.join(capfd.readouterr())
    detection('peyolos', loaders)
    assert 'PEYOLOS reads mixed images, and no pipeline has a PatchMixup' in ''.join(capfd.readouterr())


def test_a_checkpoint_of_other_classes_is_refused_in_a_test_and_not_in_training():
    from mmengine.runner import BaseLoop

    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(CONFIG).model)
    other = Config.fromfile(CONFIG)
    other.model.head.num_classes = 7
    checkpoint = dict(state_dict=MODELS.build(other.model).state_dict())
    testing = SimpleNamespace(model=model, _train_loop=None)
    CheckEncryption().after_load_checkpoint(testing, dict(state_dict=model.state_dict()))
    with pytest.raises(ValueError) as error:
        CheckEncryption().after_load_checkpoint(testing, checkpoint)
    assert 'head.layers.head.bias: (7,) in the checkpoint, (10,) in the model' in str(error.value)
    training = SimpleNamespace(model=model, _train_loop=type('Loop', (BaseLoop,), dict(run=None))(None, []))
    CheckEncryption().after_load_checkpoint(training, checkpoint)
