"""AP of boxes that enclose what a shuffle within windows moved: against moved boxes, and of perfect answers.

    python tools/dev/windows_ap.py --window 2 [--checkpoint FILE] [--config FILE]

"perfect" is the AP that a detector would have in the plain frame if it answered each object's true
enclosing box. "moved" is the checkpoint's AP against the true enclosing boxes, in the
encrypted frame, with permutations of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import hii_mm
from hii_mm.training.config import run_config

CONFIG = 'configs/yolos/yolos-mini-rs-p16-w{}_1xb32-50e_fashion-det.py'


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--window', type=int, default=2, metavar='N', help='patches (%(default)s)')
    parser.add_argument('--checkpoint', metavar='FILE', help='of CONFIG')
    parser.add_argument('--config', metavar='FILE', help=f'({CONFIG.format("N")})')
    args = parser.parse_args()
    cfg = run_config(args.config or CONFIG.format(args.window), loaders=['test'])
    print(f'window {args.window}, perfect: AP {{:.1f}}, AP50 {{:.1f}}'.format(*perfect(cfg, args.window)))
    if args.checkpoint:
        print(f'window {args.window}, moved: AP {{:.1f}}, AP50 {{:.1f}}'.format(*moved(cfg, args.checkpoint)))


def perfect(cfg: Any, window: int) -> tuple[float, float]:
    """AP and AP50 of the true enclosing boxes in the plain frame."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(cfg.val_evaluator.ann_file)
    rng, scheme, answers = np.random.default_rng(0), hii_mm.Scheme(16, window=window), []
    for index, image in truth.imgs.items():
        plan = scheme.plan((image['height'], image['width']), rng)
        for each in truth.imgToAnns[index]:
            x, y, w, h = each['bbox']
            ((x1, y1, x2, y2),), _ = plan.move_boxes([[x, y, x + w, y + h]], 'enclose')
            answers.append(dict(each, bbox=[x1, y1, x2 - x1, y2 - y1], score=1.0))
    return score(truth, answers)


def moved(cfg: Any, checkpoint: str) -> tuple[float, float]:
    """AP and AP50 of a checkpoint against the true enclosing boxes in the encrypted frame."""
    from mmdet.apis import init_detector

    steps = cfg.test_dataloader.dataset.pipeline
    shuffle = next(step for step in steps if step['type'] == 'PatchShuffle')
    cfg.test_dataloader.dataset.pipeline = [*(step for step in steps[:-1] if step is not shuffle), shuffle, steps[-1]]
    model = init_detector(cfg, checkpoint, device='cpu')
    images, annotations, answers = [], [], []
    np.random.seed(0)
    for index, data in enumerate(DATASETS.build(cfg.test_dataloader.dataset)):
        with torch.no_grad():
            (found,) = model.test_step(pseudo_collate([data]))
        images.append(dict(id=index, width=128, height=128))
        for box, label in zip(data['data_samples'].gt_instances.bboxes, data['data_samples'].gt_instances.labels):
            annotations.append(dict(as_coco(index, box, label), id=len(annotations) + 1, iscrowd=0))
        answers += [
            dict(as_coco(index, box, label), score=float(sure))
            for box, label, sure in zip(*(found.pred_instances[key] for key in ('bboxes', 'labels', 'scores')))
        ]
    truth = COCO()
    truth.dataset = dict(images=images, annotations=annotations, categories=[dict(id=i) for i in range(10)])
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return score(truth, answers)


def as_coco(index: int, box: Any, label: Any) -> dict[str, Any]:
    """An object as COCO writes it, of a box (4,) xyxy."""
    x1, y1, x2, y2 = (float(value) for value in getattr(box, 'tensor', box).flatten())
    return dict(image_id=index, category_id=int(label), bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1))


def score(truth: COCO, answers: list[dict[str, Any]]) -> tuple[float, float]:
    """AP and AP50 in percent."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(answers), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * evaluation.stats[0], 100 * evaluation.stats[1]


if __name__ == '__main__':
    main()
