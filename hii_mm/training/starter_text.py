"""Write a first config for somebody's own data, which trains at once. No mm, no torch."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..encryption import Scheme
from ..errors import UsageError
from ..presets import name_of
from .checkpoints import steps_as_config
from .starter import Data, Pair, label

STEPS = 6000  # of training, about
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]  # of ImageNet, RGB
Steps = list[dict[str, Any]]


def write_config(
    data: Data, task: str, scheme: Scheme | None = None, size: int | None = None, epochs: int | None = None
) -> str:
    """Return the text of a config.

    Args:
        data: from :func:`look`.
        task: 'classifier' or 'detector'.
        scheme: to encrypt plain pictures with while they are loaded; of a copy None.
        size: side of the pictures that plain ones are resized to, in pixels; None chooses one.
        epochs: of the training; None chooses by the number of pictures.

    Raises:
        UsageError: a scheme for pictures that are encrypted already, encrypted
            pictures of several sizes, or a shuffle for a detector.
    """
    if data.train.scheme and scheme:
        raise UsageError(
            f'{data.train.folder} is encrypted with {data.train.scheme.label} already: leave the scheme out'
        )
    how = data.train.scheme or scheme
    if task == 'detector' and how is not None and how.shuffle is not None:
        raise UsageError(
            f'{how.label} shuffles patches: COCO AP of shuffled pictures means nothing to a trainer, so no '
            'detector is set up for it; encrypt with --strategy mixup'
        )
    if epochs is None:
        epochs = max(10, min(300, round(STEPS * _batch(data) / data.train.images)))
    texts = {'classifier': _classifier, 'detector': _detector}
    return texts[task](data, how, _size(data, scheme, size), epochs)


def _batch(data: Data) -> int:
    """Return the batch size: 32, fewer for few or large pictures."""
    largest = max(h * w for h, w in data.train.sizes) if data.train.sizes else 224 * 224
    return max(2, min(32, data.train.images // 4, 32 * 256 * 256 // largest))


def _size(data: Data, scheme: Scheme | None, size: int | None) -> Pair:
    """Return (h, w) of the pictures before they are encrypted by the pipeline, or of an encrypted copy.

    Raises:
        UsageError: encrypted pictures of several sizes.
    """
    if data.train.scheme is not None:
        sizes = data.train.sizes | (data.val.sizes if data.val else frozenset())
        if len(sizes) > 1:
            shown = ', '.join(f'{h} x {w}' for h, w in sorted(sizes)[:3])
            raise UsageError(
                f'the encrypted pictures have {len(sizes)} sizes ({shown} ...), and a batch needs one: encrypt with '
                '--size WxH'
            )
        return next(iter(sizes))
    step = max(scheme.patch_size) if scheme else 16
    side = size or min(224, *(min(h, w) for h, w in data.train.sizes))
    side = max(step, side // step * step)
    return side, side


def _steps(scheme: Scheme | None) -> Steps:
    """Return the transforms that encrypt, by the name of a preset where one fits exactly."""
    steps, name = steps_as_config(scheme), name_of(scheme) if scheme else None
    if name is None:
        return steps
    return [dict(type=step['type'], preset=name, remainder=step['remainder']) for step in steps]


def _classifier(data: Data, scheme: Scheme | None, size: Pair, epochs: int) -> str:
    """Return the config of a classifier."""
    encrypted = data.train.scheme is not None
    patch = scheme.core_size[0] if scheme else 16 if size[0] >= 64 else 4
    shown = size if encrypted or scheme is None else scheme.plan(size, np.random.default_rng(0)).encrypted_shape
    few = shown[0] // patch * (shown[1] // patch) < 100
    width, layers, heads = (96, 4, 4) if few else (192, 6, 6)
    arch = dict(embed_dims=width, num_layers=layers, num_heads=heads, feedforward_channels=4 * width)
    count = len(data.classes)
    model = dict(
        type='ImageClassifier',
        data_preprocessor=dict(num_classes=count, mean=MEAN, std=STD, to_rgb=True),
        backbone=dict(
            type='PEViT' if scheme and scheme.shuffle else 'VisionTransformer',
            arch=arch,
            img_size=shown,
            patch_size=patch,
        ),
        head=dict(
            type='VisionTransformerClsHead',
            num_classes=count,
            in_channels=width,
            loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        ),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    )
    load: Steps = [dict(type='LoadImageFromFile')]
    load += [] if encrypted else [dict(type='Resize', scale=size[::-1])]
    hide = [*([] if encrypted else _steps(scheme)), dict(type='PackInputs')]
    flip: Steps = [dict(type='RandomFlip', prob=0.5)]
    datasets = [
        dict(type='CustomDataset', data_root=part.folder, classes=data.classes)
        for part in (data.train, data.val)
        if part
    ]
    return _text('mmpretrain', data, scheme, model, datasets, [load + flip + hide, load + hide], epochs)


def _detector(data: Data, scheme: Scheme | None, size: Pair, epochs: int) -> str:
    """Return the config of a detector."""
    encrypted = data.train.scheme is not None
    grid = scheme.mixup.grid if scheme and scheme.mixup else 1
    patch = scheme.patch_size[0] if scheme else 16
    backbone: dict[str, Any] = dict(
        type='YOLOSBackbone',
        arch=(192, 6, 6),
        img_size=(size[0] * grid, size[1] * grid) if encrypted else size,
        patch_size=patch,
        num_det_tokens=50,
        from_scratch=True,
    )
    if grid > 1:
        backbone['patch_embed'] = dict(type='MixedPatchEmbed', grid=grid)
    model = dict(
        type='PEYOLOS' if grid > 1 else 'YOLOS',
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=MEAN, std=STD, bgr_to_rgb=True, pad_size_divisor=patch // grid
        ),
        backbone=backbone,
        bbox_head=dict(
            type='YOLOSHead',
            num_classes=len(data.classes),
            init_cfg=dict(type='Xavier', layer='Linear', distribution='uniform'),
        ),
        patch_loss_weight=1.0,
    )
    load: Steps = [dict(type='LoadImageFromFile')]
    boxes: Steps = [dict(type='LoadAnnotations', with_bbox=True)]
    fit: Steps = [] if encrypted else [dict(type='Resize', scale=size[::-1], keep_ratio=False)]
    flip: Steps = [dict(type='RandomFlip', prob=0.5)]
    hide = [] if encrypted else _steps(scheme)
    keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', *(() if encrypted else ('scale_factor',)))
    pack: Steps = [dict(type='PackDetInputs', meta_keys=keys)]
    datasets = [
        dict(
            type='CocoDataset',
            data_root=part.folder,
            ann_file=osp.abspath(str(part.annotations)),
            data_prefix=dict(img=''),
            metainfo=dict(classes=data.classes),
        )
        for part in (data.train, data.val)
        if part
    ]
    # boxes of the validation are loaded last: they stay those of the plain pictures, to which predictions go back
    pipelines = [load + boxes + fit + flip + hide + pack, load + fit + hide + boxes + pack]
    return _text('mmdet', data, scheme, model, datasets, pipelines, epochs)


def _text(
    scope: str,
    data: Data,
    scheme: Scheme | None,
    model: dict[str, Any],
    datasets: Sequence[dict[str, Any]],
    pipelines: Sequence[Steps],
    epochs: int,
) -> str:
    """Return the config as text: a line for each part of the model, each transform and each part of the schedule."""
    each = max(1, epochs // 10)
    lines = [
        f'# {data.train.images} pictures, {len(data.classes)} classes, {label(scheme)}. Written by hii-mm init.',
        f'default_scope = {scope!r}',
        "custom_imports = dict(imports=['hii_mm.register'])",
        f'classes = {data.classes!r}',
        f'model = dict(type={model["type"]!r},',
        *(f'    {key}={_literal(value)},' for key, value in model.items() if key != 'type'),
        ')',
    ]
    for name, dataset, pipeline in zip(('train', 'val'), datasets, pipelines):
        lines += _loader(name, scope, dataset, pipeline, data)
    if data.val:
        metric = "type='Accuracy', topk=1"
        if scope == 'mmdet':
            metric = f"type='CocoMetric', ann_file={osp.abspath(str(data.val.annotations))!r}, metric='bbox'"
        lines += ['test_dataloader = val_dataloader', f'val_evaluator = test_evaluator = dict({metric})']
        lines += ['val_cfg = test_cfg = dict()']
    lines += [
        f'train_cfg = dict(by_epoch=True, max_epochs={epochs}, val_interval={each})',
        "optim_wrapper = dict(optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05), clip_grad=dict(max_norm=1.0))",
        *_schedule(epochs),
        f"default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval={each}, max_keep_ckpts=1),",
        f"    visualization=dict(type='{'Det' * (scope == 'mmdet')}VisualizationHook'))",
        f"visualizer = dict(type='{'DetLocal' if scope == 'mmdet' else 'Universal'}Visualizer', name='visualizer',",
        "    vis_backends=[dict(type='LocalVisBackend')])",
    ]
    return '\n'.join(lines) + '\n'


def _schedule(epochs: int) -> list[str]:
    """Return the lines of the learning rate: a twentieth to warm up, then a cosine."""
    warm = max(1, epochs // 20) if epochs > 1 else 0
    lines = [
        f"    dict(type='LinearLR', start_factor=0.01, end={warm}, convert_to_iter_based=True),",
        f"    dict(type='CosineAnnealingLR', eta_min=1e-6, begin={warm}, end={epochs}, convert_to_iter_based=True)]",
    ]
    return ['param_scheduler = [', *lines[warm == 0 :]]


def _loader(name: str, scope: str, dataset: dict[str, Any], pipeline: Steps, data: Data) -> list[str]:
    """Return the lines of a pipeline and its loader."""
    content = _literal({**dataset, **({'test_mode': True} if name == 'val' else {})})[len('dict(') : -1]
    content = content.replace(f'classes={_literal(data.classes)}', 'classes=classes')
    collate = " collate_fn=dict(type='default_collate')," if scope == 'mmpretrain' else ''
    return [
        f'{name}_pipeline = [{", ".join(_literal(step) for step in pipeline[:-1])},',
        f'    {_literal(pipeline[-1])}]',
        f'{name}_dataloader = dict(batch_size={_batch(data)}, num_workers=2, persistent_workers=True,{collate}',
        f"    sampler=dict(type='DefaultSampler', shuffle={name == 'train'}),",
        f'    dataset=dict({content}, pipeline={name}_pipeline))',
    ]


def _literal(value: Any) -> str:
    """Return a value as Python source, dicts as ``dict(...)``."""
    if isinstance(value, dict):
        return 'dict(' + ', '.join(f'{key}={_literal(each)}' for key, each in value.items()) + ')'
    if isinstance(value, (list, tuple)):
        inside = ', '.join(_literal(each) for each in value)
        return f'[{inside}]' if isinstance(value, list) else f'({inside}{"," * (len(value) == 1)})'
    return repr(value)
