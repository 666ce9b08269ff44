"""Evaluate the ground truth, sent through a detector's test pipeline, as predictions: AP must be 1.

Annotations are loaded first, so that every transform of the pipeline moves
them. Then they are scaled back to the original frame as mmdet does (division by
scale_factor), and pycocotools evaluates them. If AP is not 1, the transform that
breaks it is named. Exit codes: 0 AP is 1, 1 it is not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os.path as osp
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmengine.config import Config


def evaluate(dataset: Any, evaluator: Any, transforms: list[dict[str, Any]]) -> tuple[float, float]:
    """Return AP and AP50 of the truth after ``transforms`` and back."""
    import numpy as np
    import torch
    from mmengine.dataset import Compose
    from mmengine.registry import METRICS
    from tqdm import tqdm

    metric = METRICS.build(evaluator)
    metric.dataset_meta = dataset.metainfo
    pipeline = Compose(transforms)
    for index in tqdm(range(len(dataset)), unit='image', disable=None):
        results = pipeline(dataset.get_data_info(index))
        boxes = results['gt_bboxes']
        boxes = torch.as_tensor(boxes if isinstance(boxes, np.ndarray) else boxes.tensor).float()
        boxes = boxes / torch.tensor(results.get('scale_factor', (1.0, 1.0))).repeat(2)
        keep = torch.as_tensor(~results['gt_ignore_flags'])
        labels = torch.as_tensor(results['gt_bboxes_labels'])[keep]
        predictions = dict(bboxes=boxes[keep], labels=labels, scores=torch.ones(len(labels)))
        shape = tuple(results['ori_shape'][:2])
        metric.process({}, [dict(pred_instances=predictions, img_id=results['img_id'], ori_shape=shape)])
    scores = metric.evaluate(len(dataset))
    return scores['coco/bbox_mAP'], scores['coco/bbox_mAP_50']


def use_fashion_det(cfg: Config, folder: str) -> None:
    """Replace a config's test data by FashionDet's validation part."""
    truth = osp.join(folder, 'annotations/val.json')
    with open(truth) as file:
        classes = tuple(entry['name'] for entry in json.load(file)['categories'])
    cfg.test_dataloader.dataset.update(
        type='CocoDataset',
        metainfo=dict(classes=classes),
        data_root=folder,
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
    )
    cfg.test_evaluator.ann_file = truth


def class_name(transform: dict[str, Any]) -> str:
    """Return the class of a transform's config, without its scope."""
    kind = transform['type']
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__


def parse_args() -> argparse.Namespace:
    """Parse the command line; nothing heavy is imported yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('config', help='config of a detector')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override settings')
    parser.add_argument(
        '--fashion-det', metavar='FOLDER', help="use FashionDet's val instead of the config's test data"
    )
    args = parser.parse_args()
    if '::' not in args.config and not osp.isfile(args.config):
        parser.error(f'config file not found: {args.config!r}')
    if args.fashion_det and not osp.isfile(osp.join(args.fashion_det, 'annotations/val.json')):
        parser.error(f'{args.fashion_det!r} has no annotations/val.json: run tools/dataset_converters/fashion_det.py')
    return args


def verify(args: argparse.Namespace) -> int:
    """Evaluate, print AP and the transform that breaks it; return the exit code.

    Raises:
        HiiError: wrong arguments, or no usable set of mm packages.
    """
    from hii_mm.training.config import parse_options, read_config

    cfg = read_config(args.config)
    from mmengine.registry import DATASETS, init_default_scope

    if args.fashion_det:
        use_fashion_det(cfg, args.fashion_det)
    cfg.merge_from_dict(parse_options(args.cfg_options))
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    entries = [entry for entry in cfg.test_dataloader.dataset.pipeline if not class_name(entry).startswith('Pack')]
    rest = [entry for entry in entries if not class_name(entry).startswith('Load')]
    loads = [entry for entry in entries if class_name(entry).startswith('LoadImage')]
    loads.append(dict(type='mmdet.LoadAnnotations', with_bbox=True))
    score, half = evaluate(dataset, cfg.test_evaluator, loads + rest)
    print(f'{args.config}: AP {score:.3f}, AP50 {half:.3f} on {len(dataset)} images with the truth as predictions')
    if score >= 1:
        return 0
    for count in range(len(rest) + 1):
        if evaluate(dataset, cfg.test_evaluator, loads + rest[:count])[0] < 1:
            break
    culprit = class_name(rest[count - 1]) if count else 'the data set itself, before any transform,'
    print(f'verify_pipeline: {culprit} breaks it: boxes and scale_factor do not match after it', file=sys.stderr)
    return 1


def main() -> int:
    """Verify; return the exit code."""
    args = parse_args()
    from hii_mm.errors import HiiError

    try:
        return verify(args)
    except HiiError as error:
        print(f'verify_pipeline: {error}', file=sys.stderr)
        return error.exit_code


if __name__ == '__main__':
    sys.exit(main())
