"""Write a first config for somebody's own data, which trains at once. No mm, no torch."""

from __future__ import annotations

from typing import Any

from ..encryption import Scheme
from ..errors import UsageError
from .starter import Data, Pair, label
from .starter_detectors import detector
from .starter_parts import Config, Parts, classifier

STEPS = 6000  # of training, about
PIPELINES = {'train': 'train_pipeline', 'val': 'test_pipeline'}  # of each loader


def write_config(data: Data, task: str, scheme: Scheme | None = None, size: int | None = None,
                 epochs: int | None = None) -> str:  # fmt: skip
    """Return the text of a config.

    Args:
        data: from :func:`look`.
        task: 'classifier' or 'detector'.
        scheme: to encrypt plain pictures with while they are loaded; of a copy None.
        size: side of the pictures that plain ones are resized to, in pixels; None chooses one.
        epochs: of the training; None chooses by the number of pictures, see :func:`epochs_of`.

    Raises:
        UsageError: a scheme or a size for pictures that are encrypted already,
            encrypted pictures of several sizes, or a detector of plain pictures
            and a shuffle that drops or turns patches.
    """
    if data.train.scheme and scheme:
        raise UsageError(
            f'{data.train.folder} is encrypted with {data.train.scheme.label} already: leave the scheme out'
        )
    how = data.train.scheme or scheme
    parts = (classifier if task == 'classifier' else detector)(data, how, _size(data, scheme, size))
    return _text(data, how, parts, epochs_of(data) if epochs is None else epochs)


def epochs_of(data: Data) -> int:
    """Return a length of training by the number of pictures: about ``STEPS`` steps, 10 to 300 epochs."""
    return max(10, min(300, round(STEPS * _batch(data) / data.train.images)))


def _batch(data: Data) -> int:
    """Return the batch size: 32, fewer for few or large pictures."""
    largest = max(h * w for h, w in data.train.sizes) if data.train.sizes else 224 * 224
    return max(2, min(32, data.train.images // 4, 32 * 256 * 256 // largest))


def _size(data: Data, scheme: Scheme | None, size: int | None) -> Pair:
    """Return (h, w) of the pictures before they are encrypted by the pipeline, or of an encrypted copy.

    Raises:
        UsageError: encrypted pictures of several sizes, or that ``size`` would resize.
    """
    if data.train.scheme is not None:
        return _size_of_copy(data, size)
    step = max(scheme.patch_size) if scheme else 16
    side = size or min(224, *(min(h, w) for h, w in data.train.sizes))
    side = max(step, side // step * step)
    return side, side


def _size_of_copy(data: Data, size: int | None) -> Pair:
    """Return the one (h, w) of encrypted pictures."""
    sizes = data.train.sizes | (data.val.sizes if data.val else frozenset())
    if size is not None:
        raise UsageError(
            f'--size {size}: {data.train.folder} is encrypted, and resizing would tear its patches: leave it out'
        )
    if len(sizes) > 1:
        shown = ', '.join(f'{h} x {w}' for h, w in sorted(sizes)[:3])
        raise UsageError(
            f'the encrypted pictures have {len(sizes)} sizes ({shown} ...), and a batch needs one: encrypt with '
            '--size WxH'
        )
    return next(iter(sizes))


def _text(data: Data, scheme: Scheme | None, parts: Parts, epochs: int) -> str:
    """Return the config as text: a line for each part of the model, each transform and each part of the schedule."""
    each = max(1, epochs // 10)
    lines = [
        f'# {data.train.images} pictures, {len(data.classes)} classes, {label(scheme)}. Written by hii-mm init.',
        f'default_scope = {parts.scope!r}',
        "custom_imports = dict(imports=['hii_mm.register'])",
        f'classes = {data.classes!r}',
        f'model = dict(type={parts.model["type"]!r},',
        *(f'    {key}={_literal(value)},' for key, value in parts.model.items() if key != 'type'),
        ')',
    ]
    for name, pipeline in zip(PIPELINES.values(), parts.pipelines):  # both: predict needs that of tests
        lines += [f'{name} = [{", ".join(_literal(step) for step in pipeline[:-1])},', f'    {_literal(pipeline[-1])}]']
    for name, dataset in zip(PIPELINES, parts.datasets):
        lines += _loader(name, parts.scope, dataset, data)
    if parts.metric:
        lines += ['test_dataloader = val_dataloader', f'val_evaluator = test_evaluator = {_literal(parts.metric)}']
        lines += ['val_cfg = test_cfg = dict()']
    lines += [
        f'train_cfg = dict(by_epoch=True, max_epochs={epochs}, val_interval={each})',
        "optim_wrapper = dict(optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05), clip_grad=dict(max_norm=1.0))",
        *_schedule(epochs),
        *_shown(parts.scope == 'mmdet', each),
    ]
    return '\n'.join(lines) + '\n'


def _shown(detects: bool, interval: int) -> list[str]:
    """Return the lines of checkpoints and visualisation."""
    return [
        f"default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval={interval}, max_keep_ckpts=1),",
        f"    visualization=dict(type='{'Det' * detects}VisualizationHook'))",
        f"visualizer = dict(type='{'DetLocal' if detects else 'Universal'}Visualizer', name='visualizer',",
        "    vis_backends=[dict(type='LocalVisBackend')])",
    ]


def _schedule(epochs: int) -> list[str]:
    """Return the lines of the learning rate: a twentieth to warm up, then a cosine."""
    warm = max(1, epochs // 20) if epochs > 1 else 0
    lines = [
        f"    dict(type='LinearLR', start_factor=0.01, end={warm}, convert_to_iter_based=True),",
        f"    dict(type='CosineAnnealingLR', eta_min=1e-6, begin={warm}, end={epochs}, convert_to_iter_based=True)]",
    ]
    return ['param_scheduler = [', *lines[warm == 0 :]]


def _loader(name: str, scope: str, dataset: Config, data: Data) -> list[str]:
    """Return the lines of a loader."""
    content = _literal({**dataset, **({'test_mode': True} if name == 'val' else {})})[len('dict(') : -1]
    content = content.replace(f'classes={_literal(data.classes)}', 'classes=classes')
    collate = " collate_fn=dict(type='default_collate')," if scope == 'mmpretrain' else ''
    return [
        f'{name}_dataloader = dict(batch_size={_batch(data)}, num_workers=2, persistent_workers=True,{collate}',
        f"    sampler=dict(type='DefaultSampler', shuffle={name == 'train'}),",
        f'    dataset=dict({content}, pipeline={PIPELINES[name]}))',
    ]


def _literal(value: Any) -> str:
    """Return a value as Python source, dicts as ``dict(...)``."""
    if isinstance(value, dict):
        return 'dict(' + ', '.join(f'{key}={_literal(each)}' for key, each in value.items()) + ')'
    if isinstance(value, (list, tuple)):
        inside = ', '.join(_literal(each) for each in value)
        return f'[{inside}]' if isinstance(value, list) else f'({inside}{"," * (len(value) == 1)})'
    return repr(value)
