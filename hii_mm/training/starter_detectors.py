"""The detectors of the configs that :mod:`.starter_text` writes. No mm, no torch."""

from __future__ import annotations

import os.path as osp

from ..encryption import Scheme
from ..errors import UsageError
from .starter import Data, Pair
from .starter_parts import FLIP, LOAD, MEAN, STD, Config, Parts, Steps, arch_of, encrypting, shown_of

STEM = 4  # side of the first convolution of StemPEViT, in pixels
BOXES = {'type': 'LoadAnnotations', 'with_bbox': True}


def detector(data: Data, scheme: Scheme | None, size: Pair) -> Parts:
    """Return the parts of a detector: PatchDetector for shuffled, PEYOLOS for mixed, YOLOS for plain pictures.

    Arguments as :func:`classifier`.

    Raises:
        UsageError: plain pictures and a shuffle that drops or turns patches: the
            fragments that are found in them could not be put together.
    """
    encrypted, shuffle = data.train.scheme is not None, scheme.shuffle if scheme else None
    if scheme and shuffle and not encrypted and (shuffle.drop_ratio or shuffle.orient):
        raise UsageError(
            f'{scheme.label} drops or turns patches: what is found in them is put together with a key alone, so '
            'encrypt a copy with hii-mm encrypt first, and give that'
        )
    model = _fragments(data, scheme, size) if shuffle else _whole(data, scheme, size)
    fit: Steps = [] if encrypted else [dict(type='Resize', scale=size[::-1], keep_ratio=False)]
    hide = [] if encrypted else encrypting(scheme)
    keys = ['img_id', 'img_path', 'ori_shape', 'img_shape', *([] if encrypted else ['scale_factor'])]
    more = ['gt_instance_ids', 'gt_ignore_flags'] if shuffle and not encrypted else []
    shown = [*keys, 'permutation'] if more else keys
    last = [dict(step, return_permutation=True) if step['type'] == 'PatchShuffle' else step for step in hide]
    # boxes of the validation are loaded last: they stay those of the plain pictures, to which predictions go back
    pipelines = [[LOAD, BOXES, *fit, FLIP, *hide, _pack(keys + more)], [LOAD, *fit, *last, BOXES, _pack(shown)]]
    return Parts('mmdet', model, _coco(data), pipelines, _average_precision(data, scheme))


def _preprocessor(divisor: int) -> Config:
    return dict(type='DetDataPreprocessor', mean=MEAN, std=STD, bgr_to_rgb=True, pad_size_divisor=divisor)


def _whole(data: Data, scheme: Scheme | None, size: Pair) -> Config:
    """Return a detector of whole objects, in plain or mixed pictures."""
    grid = scheme.mixup.grid if scheme and scheme.mixup else 1
    patch = scheme.patch_size[0] if scheme else 16
    backbone: Config = dict(
        type='YOLOSBackbone',
        arch=(192, 6, 6),
        img_size=(size[0] * grid, size[1] * grid) if data.train.scheme else size,
        patch_size=patch,
        num_det_tokens=50,
        from_scratch=True,
    )
    if grid > 1:
        backbone['patch_embed'] = dict(type='MixedPatchEmbed', grid=grid)
    init = dict(type='Xavier', layer='Linear', distribution='uniform')
    return dict(
        type='PEYOLOS' if grid > 1 else 'YOLOS',
        data_preprocessor=_preprocessor(patch // grid),
        backbone=backbone,
        bbox_head=dict(type='YOLOSHead', num_classes=len(data.classes), init_cfg=init),
        patch_loss_weight=1.0,
    )


def _fragments(data: Data, scheme: Scheme | None, size: Pair) -> Config:
    """Return a detector of the fragments in shuffled pictures."""
    assert scheme is not None
    patch, shown = scheme.core_size[0], shown_of(data, scheme, size)
    init = dict(type='Xavier', layer='Linear', distribution='uniform')
    backbone = dict(
        type='PEViT' if patch % STEM else 'StemPEViT',
        arch=arch_of(shown, patch),
        img_size=shown,
        patch_size=patch,
        out_type='featmap',
        init_cfg=[init, dict(type='Kaiming', layer='Conv2d')],
    )
    head: Config = dict(type='PatchHead', num_classes=len(data.classes), init_cfg=init)
    if data.train.scheme is not None:
        head['embedding_dims'] = 0  # mmdet does not read which fragments belong together
    return dict(type='PatchDetector', data_preprocessor=_preprocessor(patch), backbone=backbone, bbox_head=head)


def _pack(keys: list[str]) -> Config:
    return dict(type='PackDetInputs', meta_keys=tuple(keys))


def _coco(data: Data) -> list[Config]:
    """Return the data sets of a detector."""
    return [
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


def _average_precision(data: Data, scheme: Scheme | None) -> Config | None:
    """Return the metric: of objects, or of fragments for a shuffled copy, which the trainer cannot put together."""
    if data.val is None:
        return None
    truth = osp.abspath(str(data.val.annotations))
    shuffle = scheme.shuffle if scheme and not data.train.scheme else None
    if shuffle is None:
        return dict(type='CocoMetric', ann_file=truth, metric='bbox')
    return dict(type='ShuffledCocoMetric', patch_size=shuffle.patch_size, gap=shuffle.gap, ann_file=truth)
