"""Every config is built, reads an image through its pipelines and does one training step."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATA_SAMPLERS, MODELS, init_default_scope
from mmpretrain.registry import DATASETS

from conftest import ROOT
from hii_mm.transforms.order import encrypting_transforms, late_transforms, pipelines

CONFIGS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('configs/**/*.py') if '_base_' not in path.parts)


@pytest.fixture(scope='module')
def imagenet(tmp_path_factory):
    """Two classes of one small picture each, in ImageNet's layout."""
    root, rng = tmp_path_factory.mktemp('imagenet'), np.random.default_rng(0)
    for split in ('train', 'val'):
        for name in ('n01440764', 'n01443537'):
            folder = root / split / name
            folder.mkdir(parents=True)
            cv2.imwrite(str(folder / 'a.png'), rng.integers(0, 256, (240, 300, 3)).astype(np.uint8))
    return root


def dataset(cfg, root):
    """The data set of a loader's config, from other files."""
    cfg = dict(cfg, data_root=str(root))
    if cfg['type'] == 'ImageNet':
        cfg.update(type='CustomDataset', data_prefix=cfg.pop('split'), data_root=str(root))
    else:
        cfg.update(type='MNIST', indices=4)
    return DATASETS.build(cfg)


@pytest.mark.parametrize('path', CONFIGS)
def test_a_training_step(path, imagenet, digits_root):
    cfg = Config.fromfile(ROOT / path)
    init_default_scope(cfg.default_scope)
    root = imagenet if cfg.train_dataloader.dataset.type == 'ImageNet' else digits_root
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)  # as mmengine's runner does
    model = MODELS.build(cfg.model)
    model.init_weights()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    train = dataset(cfg.train_dataloader.dataset, root)
    for _ in range(2):
        losses = model.train_step(default_collate([train[0], train[1]]), optim)
        assert torch.isfinite(losses['loss'])
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        data = dataset(loader.dataset, root)
        results = model.test_step(default_collate([data[0], data[1]]))
        assert results[0].pred_score.shape == (cfg.model.head.get('num_classes', 1000),)


@pytest.mark.parametrize('path', CONFIGS)
def test_encryption_comes_last_everywhere_or_nowhere(path):
    found = list(pipelines(Config.fromfile(ROOT / path).to_dict()))
    of_loaders = [entries for place, entries in found if place.endswith('dataset.pipeline')]
    assert len(of_loaders) == 3
    assert [late_transforms(entries) for entries in of_loaders] == [[], [], []]
    counts = {len(encrypting_transforms(entries)) for entries in of_loaders}
    assert counts == ({1} if '-rs-' in path else {0})


@pytest.mark.parametrize('size, dims', [('tiny', 192), ('small', 384), ('base', 768)])
def test_the_recipe_of_the_paper(size, dims):
    cfg = Config.fromfile(ROOT / f'configs/pevit/pevit-{size}-p16_8xb192-rs-300e_in1k.py')
    assert (cfg.model.backbone.arch, cfg.model.head.in_channels) == (f'deit-{size}', dims)
    assert cfg.train_dataloader.batch_size * 8 == cfg.auto_scale_lr.base_batch_size == 1536
    assert cfg.optim_wrapper.optimizer.lr == 5e-4 * 1536 / 512
    assert cfg.optim_wrapper.optimizer.weight_decay == 0.05
    assert cfg.optim_wrapper.clip_grad is None
    assert cfg.train_cfg.max_epochs == 300
    warm, cosine = cfg.param_scheduler
    assert warm.start_factor * cfg.optim_wrapper.optimizer.lr == pytest.approx(1e-6)
    assert (warm.end, cosine.begin, cosine.eta_min) == (5, 5, 1e-5)
    assert cfg.model.backbone.drop_path_rate == 0.1
    assert [augment.type for augment in cfg.model.train_cfg.augments] == ['Mixup', 'PatchCutMix']
    assert [augment.alpha for augment in cfg.model.train_cfg.augments] == [0.8, 1.0]
    assert cfg.model.head.loss.label_smooth_val == 0.1
    assert (cfg.custom_hooks[0].type, cfg.custom_hooks[0].momentum) == ('EMAHook', 4e-5)
    kinds = {entry.type: entry for entry in cfg.train_pipeline}
    assert (kinds['RandAugment'].magnitude_level, kinds['RandAugment'].magnitude_std) == (9, 0.5)
    assert kinds['RandomErasing'].erase_prob == 0.25
    assert cfg.train_dataloader.sampler == dict(type='RepeatAugSampler', num_repeats=3)
    init_default_scope('mmpretrain')
    assert DATA_SAMPLERS.build(dict(cfg.train_dataloader.sampler, dataset=range(10), _scope_='mmpretrain'))


def test_no_decay_for_bias_norm_and_class_token():
    cfg = Config.fromfile(ROOT / 'configs/pevit/pevit-tiny-p16_8xb192-rs-300e_in1k.py')
    init_default_scope('mmpretrain')
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    decay = {id(p): group['weight_decay'] for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        free = name.endswith(('.bias', 'cls_token')) or '.ln' in name
        assert decay[id(parameter)] == (0 if free else 0.05), name


def test_the_two_mini_configs_differ_in_encryption_and_position_embedding_alone():
    ours = Config.fromfile(ROOT / 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py').to_dict()
    plain = Config.fromfile(ROOT / 'configs/vit/vit-mini-p4_1xb128-20e_fashion-mnist.py').to_dict()
    assert ours['model']['backbone'].pop('type') == 'PEViT'
    assert plain['model']['backbone'].pop('type') == 'VisionTransformer'
    shuffle = ours.pop('shuffle')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        ours[loader]['dataset']['pipeline'].remove(shuffle)
    assert ours == plain
