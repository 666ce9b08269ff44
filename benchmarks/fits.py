"""Find which models of mmpretrain and mmdet can learn on encrypted images.

    python benchmarks/fits.py [--json FILE] [--only NAME...]

Each model is built from its own config with a small width, measured with the function that the
hook CheckEncryption uses, and trained for one step on encrypted random pictures. The schemes are
RS p 16, MI p 16 with grid 2, and MI followed by RS. Where a model does not fit as it is, the
changes that are listed for it are tried in turn. No weights are loaded.
"""

from __future__ import annotations

import argparse
import copy
import platform
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch

from hii_mm import Scheme, register  # noqa: F401  # the names in configs

import mmdet  # isort: skip
import mmpretrain  # isort: skip
from mmengine.config import Config  # isort: skip
from mmengine.optim import OptimWrapper  # isort: skip
from mmengine.registry import MODELS, init_default_scope  # isort: skip

from hii_mm.models.order import is_detector, order_of  # isort: skip
from hii_mm.models.reading import reading  # isort: skip
from hii_mm.training.model_check import scheme_findings  # isort: skip

HOMES = {name: Path(package.__file__).parent / '.mim/configs' for name, package in
         (('mmpretrain', mmpretrain), ('mmdet', mmdet), ('hii_mm', mmdet))}  # fmt: skip
ROOT = Path(__file__).resolve().parents[1]
STRATEGIES = ('shuffle', 'mixup', 'both')
FIXED_SIZE = ('BEiT', 'MLP-Mixer', 'ViTDet backbone with RetinaNet')  # they take images of one size alone
TINY = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
NARROW = {'backbone.depth': 18, 'backbone.base_channels': 8, 'backbone.norm_eval': False, 'backbone.frozen_stages': -1}
VIT = {'backbone.arch': TINY, 'head.in_channels': 24}
POSITIONS = "type='PEViT'"
HALF = {'backbone.patch_size': 8}
WITHOUT = {'backbone.use_rel_pos_bias': False}


def layers(count: int = 1) -> dict[str, Any]:
    """Return options that leave few layers of a DETR."""
    return {'encoder.num_layers': count, 'decoder.num_layers': count}


# name: (package, config, options that make it small, {text of a change: (options, patch size of the scheme)})
VIT_CHANGES = {
    'patch_size=8': (HALF, 16),
    POSITIONS: ({'backbone.type': 'PEViT'}, 16),
    f'{POSITIONS}, patch_size=8': ({'backbone.type': 'PEViT', **HALF}, 16),
}
THREE = {**NARROW, 'neck.in_channels': [16, 32, 64]}
MODELS_TRIED: dict[str, tuple[str, str, dict[str, Any], dict[str, tuple[dict[str, Any], int]]]] = {
    'PEViT': (
        'hii_mm', 'configs/pevit/pevit-small-p16_8xb192-rs-300e_in1k.py', VIT, {'patch_size=8': (HALF, 16)}
    ),
    'ViT': ('mmpretrain', '_base_/models/vit-base-p16.py', VIT, VIT_CHANGES),
    'DeiT': ('mmpretrain', 'deit/deit-tiny_4xb256_in1k.py', VIT, VIT_CHANGES),
    'BEiT': (
        'mmpretrain', 'beit/benchmarks/beit-base-p16_8xb128-coslr-100e_in1k.py', VIT,
        {
            'patch_size=8': (HALF, 16),
            'use_rel_pos_bias=False': (WITHOUT, 16),
            'use_rel_pos_bias=False, patch_size=8': ({**WITHOUT, **HALF}, 16),
        },
    ),
    'Swin': (
        'mmpretrain', '_base_/models/swin_transformer/tiny_224.py',
        {'backbone.arch': dict(embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]), 'head.in_channels': 192},
        {'PatchMixup(patch_size=8)': ({}, 8)},
    ),
    'MLP-Mixer': (
        'mmpretrain', '_base_/models/mlp_mixer_base_patch16.py',
        {
            'backbone.arch': dict(embed_dims=24, num_layers=2, tokens_mlp_dims=16, channels_mlp_dims=48),
            'head.in_channels': 24,
        },
        {'patch_size=8': (HALF, 16)},
    ),
    'ResNet': ('mmpretrain', '_base_/models/resnet18.py', {'backbone.base_channels': 8, 'head.in_channels': 64}, {}),
    'YOLOS': (
        'hii_mm', 'configs/yolos/yolos-tiny_8xb1-300e_coco.py',
        {'backbone.arch': (24, 2, 2)}, {'patch_size=8': ({**HALF, 'data_preprocessor.pad_size_divisor': 8}, 16)},
    ),
    'PEYOLOS': ('hii_mm', 'configs/peyolos/peyolos-tiny-mi-p16_8xb1-300e_coco.py', {'backbone.arch': (24, 2, 2)}, {}),
    'DETR': ('mmdet', 'detr/detr_r50_8xb2-150e_coco.py', {**NARROW, 'neck.in_channels': [64], **layers()}, {}),
    'Deformable DETR': (
        'mmdet', 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', {**THREE, **layers()}, {}
    ),
    'DINO': ('mmdet', 'dino/dino-4scale_r50_8xb2-12e_coco.py', {**THREE, **layers(2), 'num_queries': 20}, {}),
    'RetinaNet': (
        'mmdet', 'retinanet/retinanet_r50_fpn_1x_coco.py', {**NARROW, 'neck.in_channels': [8, 16, 32, 64]}, {}
    ),
    'Faster R-CNN': (
        'mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', {**NARROW, 'neck.in_channels': [8, 16, 32, 64]}, {}
    ),
    'YOLOX': ('mmdet', 'yolox/yolox_tiny_8xb8-300e_coco.py', {'data_preprocessor.batch_augments': None}, {}),
    'ViTDet backbone with RetinaNet': (
        'mmdet', 'retinanet/retinanet_r50_fpn_1x_coco.py',
        {
            'backbone': dict(
                type='mmpretrain.ViTSAM', arch=dict(TINY, global_attn_indexes=[1]), img_size=128, patch_size=16,
                out_channels=24, window_size=4,
            ),
            'neck': dict(type='ChannelMapper', in_channels=[24], out_channels=256, num_outs=5),
        },
        {'patch_size=8': ({**HALF, 'backbone.img_size': 64}, 16)},
    ),
}  # fmt: skip


def built(name: str, options: dict[str, Any]) -> torch.nn.Module:
    """Build a model from its config, without weights."""
    package, path, small, _ = MODELS_TRIED[name]
    cfg = Config.fromfile((ROOT if package == 'hii_mm' else HOMES[package]) / path)
    model = copy.deepcopy(cfg.model)
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor') or dict(mean=[127] * 3, std=[60] * 3))
    for part in (model, model.backbone):
        part.pop('init_cfg', None)
    for place, value in {**small, **options}.items():
        holder = model
        *way, last = place.split('.')
        for key in way:
            holder = holder[key]
        holder[last] = copy.deepcopy(value)
    if 'train_cfg' in model and 'augments' in (model.train_cfg or {}):
        model.train_cfg = None
    detector = package == 'mmdet' or 'yolos' in path
    init_default_scope('mmdet' if detector else 'mmpretrain')
    torch.manual_seed(0)
    found: torch.nn.Module = MODELS.build(model)
    found.init_weights()
    return found


def step(name: str, model: torch.nn.Module, scheme: Scheme) -> str:
    """Train for one step on two encrypted pictures; return 'ok' or why not."""
    rng = np.random.default_rng(0)
    side, own = 128 if is_detector(model) else 224, model.backbone.img_size if name in FIXED_SIZE else None
    if own is not None:
        side = own[0] if isinstance(own, (tuple, list)) else own
    side *= 2 if scheme.mixup else 1
    inputs, samples = [], []
    for _ in range(2):
        image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        plan = scheme.plan(image.shape, rng)
        encrypted = plan.apply(image)
        inputs.append(torch.from_numpy(encrypted.transpose(2, 0, 1).copy()))
        samples.append(_sample(name, encrypted.shape[:2], plan))
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    try:
        losses = model.train().train_step(dict(inputs=inputs, data_samples=samples), optim)
    except RuntimeError as error:
        if 'without its compiled ops' in str(error):
            return f'needs mmcv op {str(error).split(chr(39))[1]!r}'
        raise
    assert all(torch.isfinite(value) for value in losses.values()), losses
    return 'ok'


def _sample(name: str, shape: tuple[int, int], plan: Any) -> Any:
    """Return the annotations of a picture: a label, or boxes that moved with the pixels."""
    package, path, _, _ = MODELS_TRIED[name]
    if package != 'mmdet' and 'yolos' not in path:
        from mmpretrain.structures import DataSample

        return DataSample().set_gt_label(1)
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    boxes, source = plan.move_boxes(np.array([[20.0, 20, 100, 90], [5, 40, 60, 80]]))
    sizes = dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), batch_input_shape=shape)
    sample = DetDataSample(metainfo=sizes)
    sample.gt_instances = InstanceData(bboxes=torch.tensor(boxes).float(), labels=torch.tensor(source))
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    return sample


def verdict(name: str, strategy: str) -> dict[str, Any]:
    """Return whether a model fits a strategy: {'verdict', 'change', 'step'}."""
    tried: dict[str, tuple[dict[str, Any], int]] = {'': ({}, 16), **MODELS_TRIED[name][3]}
    for change, (options, side) in tried.items():
        model, scheme = built(name, options), Scheme(side, strategy=strategy)
        found = scheme_findings(model, scheme)
        if not found.problems and not found.doubts:
            done = step(name, model, scheme)
            return {'verdict': 'fits after a change' if change else 'fits', 'change': change, 'step': done}
    return {'verdict': 'does not fit', 'change': '', 'step': ''}


def row(name: str) -> dict[str, Any]:
    """Return the row of a model: its verdict for each strategy, and how much the order of patches changes it."""
    model = built(name, {})
    measured = order_of(model, reading(model).patch_size or (16, 16))
    assert measured is not None, name
    found = {'model': name, 'package': MODELS_TRIED[name][0], 'change': float(f'{measured.change:.2g}')}
    return {**found, 'of': measured.of, **{strategy: verdict(name, strategy) for strategy in STRATEGIES}}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', choices=list(MODELS_TRIED), default=list(MODELS_TRIED), metavar='NAME')
    record.add_argument(parser)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    rows = []
    for name in args.only:
        rows.append(row(name))
        print(rows[-1], flush=True)
    machine = f'{platform.processor() or platform.machine()}, torch {torch.__version__}, mmpretrain '
    record.write(args.json, rows, f'{machine}{mmpretrain.__version__}, mmdet {mmdet.__version__}')


if __name__ == '__main__':
    main()
