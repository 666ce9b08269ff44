"""Fixtures: the hook on real loaders and tiny models, without a runner."""

from types import SimpleNamespace

import pytest
from mmengine.registry import HOOKS, MODELS, init_default_scope

from helpers.checked import CONFIG, PACK, built_model, encrypts, loop, read
from hii_mm.training.hooks import CheckEncryption

MINI = {'yolos': 'yolos-mini', 'peyolos': 'peyolos-mini-mi-p16'}


@pytest.fixture
def check(digits_root):
    """Let the hook look at a config of classification: at its real loaders, its model, and hooks."""

    def _check(
        train_pipeline=None, hooks=(), test_pipeline=None, val_pipeline=None, strict=True, model=None, **backbone
    ):
        cfg = read(CONFIG)
        init_default_scope('mmpretrain')
        for part in ('train', 'val', 'test'):
            cfg[f'{part}_dataloader'].update(num_workers=0, persistent_workers=False)
            cfg[f'{part}_dataloader'].dataset.update(data_root=str(digits_root), indices=8)
        if train_pipeline:
            cfg.train_dataloader.dataset.pipeline = train_pipeline
        if encrypting := [step for step in train_pipeline or () if encrypts(step)]:
            cfg.val_dataloader.dataset.pipeline = [*encrypting, PACK]
            cfg.test_dataloader = cfg.val_dataloader
        if val_pipeline:
            cfg.val_dataloader.dataset.pipeline = val_pipeline
        if test_pipeline:
            cfg.test_dataloader = dict(cfg.val_dataloader)
            cfg.test_dataloader.dataset = dict(cfg.val_dataloader.dataset, pipeline=test_pipeline)
        options = tuple((f'model.backbone.{name}', value) for name, value in backbone.items())
        runner = SimpleNamespace(
            cfg=cfg,
            model=MODELS.build(model) if model else built_model(CONFIG, options),
            hooks=[HOOKS.build(hook) for hook in hooks],
            _train_loop=loop(cfg.train_dataloader),
            _val_loop=loop(cfg.val_dataloader),
            _test_loop=cfg.test_cfg,
        )
        CheckEncryption(strict).before_run(runner)

    return _check


@pytest.fixture
def detection(coco):
    """Let the hook look at a tiny detector and real loaders of COCO."""

    def _detection(kind, train=None, val=None, hooks=(), model=None, evaluator=None, **options):
        path = f'configs/{kind}/{MINI[kind]}_1xb32-50e_fashion-det.py'
        cfg = read(path)
        init_default_scope('mmdet')
        data = dict(data_root=str(coco), ann_file='a.json', data_prefix=dict(img=''), metainfo=dict(classes=('dog',)))
        loops = []
        for part, changed in (('train', train), ('val', val)):
            loader = cfg[f'{part}_dataloader']
            loader.update(num_workers=0, persistent_workers=False)
            loader.dataset.update(data)
            if isinstance(changed, list):
                loader.dataset.pipeline = changed
            if isinstance(changed, dict):  # a wrapper; its innermost data set is the config's
                inside = dict(loader.dataset, pipeline=changed.pop('inside', loader.dataset.pipeline))
                inside = [inside] if changed['type'] == 'ConcatDataset' else inside
                loader.dataset = {**changed, 'datasets' if isinstance(inside, list) else 'dataset': inside}
            loops.append(loop(loader))
        if val:
            cfg.test_dataloader = cfg.val_dataloader
        if evaluator:
            cfg.val_evaluator = cfg.test_evaluator = evaluator
        options = tuple((f'model.backbone.{name}', value) for name, value in options.items())
        runner = SimpleNamespace(
            cfg=cfg,
            model=MODELS.build(model) if model else built_model(path, options),
            hooks=[HOOKS.build(hook) for hook in hooks],
            _train_loop=loops[0],
            _val_loop=loops[1],
            _test_loop=None,
        )
        CheckEncryption().before_run(runner)

    return _detection
