"""The parts of the configs that :mod:`.starter_text` writes, and those of a classifier. No mm, no torch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..encryption import Scheme
from ..presets import name_of
from .checkpoints import steps_as_config
from .starter import Data, Pair

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]  # of ImageNet, RGB
FEW = 100  # patches, below which a smaller model does
Config = dict[str, Any]
Steps = list[Config]
LOAD, FLIP = {'type': 'LoadImageFromFile'}, {'type': 'RandomFlip', 'prob': 0.5}


class Parts(NamedTuple):
    """The parts of a config.

    Attributes:
        scope: the default scope.
        model: config of the model.
        datasets: of training, and of validation where there is one.
        pipelines: likewise, always both.
        metric: config of the evaluator, without validation data None.
    """

    scope: str
    model: Config
    datasets: list[Config]
    pipelines: list[Steps]
    metric: Config | None


def classifier(data: Data, scheme: Scheme | None, size: Pair) -> Parts:
    """Return the parts of a classifier: PEViT for shuffled pictures, a ViT for others.

    Args:
        data: that it learns.
        scheme: of the encrypted pictures, those of a copy too; None for plain ones.
        size: (h, w) of the pictures before the pipeline encrypts them, or of a copy.
    """
    encrypted, count = data.train.scheme is not None, len(data.classes)
    patch = scheme.core_size[0] if scheme else 16 if size[0] >= 64 else 4
    shown = shown_of(data, scheme, size)
    arch = arch_of(shown, patch)
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
            in_channels=arch['embed_dims'],
            loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        ),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    )
    load = [LOAD] if encrypted else [LOAD, dict(type='Resize', scale=size[::-1])]
    hide = [*([] if encrypted else encrypting(scheme)), dict(type='PackInputs')]
    datasets = [
        dict(type='CustomDataset', data_root=part.folder, classes=data.classes)
        for part in (data.train, data.val)
        if part
    ]
    metric = dict(type='Accuracy', topk=1) if data.val else None
    return Parts('mmpretrain', model, datasets, [[*load, FLIP, *hide], load + hide], metric)


def shown_of(data: Data, scheme: Scheme | None, size: Pair) -> Pair:
    """Return (h, w) of what the model reads."""
    if data.train.scheme is not None or scheme is None:
        return size
    return scheme.plan(size, np.random.default_rng(0)).encrypted_shape


def arch_of(shown: Pair, patch: int) -> dict[str, int]:
    """Return a size of ViT for pictures of few or of many patches."""
    width, layers, heads = (96, 4, 4) if shown[0] // patch * (shown[1] // patch) < FEW else (192, 6, 6)
    return dict(embed_dims=width, num_layers=layers, num_heads=heads, feedforward_channels=4 * width)


def encrypting(scheme: Scheme | None) -> Steps:
    """Return the transforms that encrypt, by the name of a preset where one fits exactly."""
    steps, name = steps_as_config(scheme), name_of(scheme) if scheme else None
    if name is None:
        return steps
    return [dict(type=step['type'], preset=name, remainder=step['remainder']) for step in steps]
