"""Feed the ground truth through a detector's test pipeline as its predictions: AP must be 1.

Annotations are loaded first, so that every transform of the pipeline moves
them; mmdet's way back to the original frame (division by scale_factor) follows
and pycocotools evaluates. Where AP is not 1, says which transform breaks it.
Exit code 1 then.
"""

import argparse
import json
import os.path as osp
import sys

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, METRICS, init_default_scope

from hii_mm.transforms.order import transform_name


def evaluate(dataset, evaluator, transforms):
    """(AP, AP50) of the truth after ``transforms`` and back.

    Raises:
        ValueError: the results of a transform cannot be brought back.
    """
    metric = METRICS.build(evaluator)
    metric.dataset_meta = dataset.metainfo
    pipeline = Compose(transforms)
    for index in range(len(dataset)):
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


def take_fashion_det(cfg, folder):
    """Put FashionDet's validation part in place of a config's test data."""
    truth = osp.join(folder, 'annotations/val.json')
    if not osp.isfile(truth):
        sys.exit(f'verify_pipeline: no {truth}; run tools/dataset_converters/fashion_det.py first')
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


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of a detector')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings, as key=value')
    parser.add_argument('--fashion-det', metavar='FOLDER', help="look at FashionDet's val here, not the config's data")
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    if args.fashion_det:
        take_fashion_det(cfg, args.fashion_det)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    entries = [entry for entry in cfg.test_dataloader.dataset.pipeline if not transform_name(entry).startswith('Pack')]
    rest = [entry for entry in entries if not transform_name(entry).startswith('Load')]
    loads = [entry for entry in entries if transform_name(entry).startswith('LoadImage')]
    loads.append(dict(type='mmdet.LoadAnnotations', with_bbox=True))
    score, half = evaluate(dataset, cfg.test_evaluator, loads + rest)
    print(f'{args.config}: AP {score:.3f}, AP50 {half:.3f} on {len(dataset)} images with the truth as predictions')
    if score >= 1:
        return
    for count in range(len(rest) + 1):
        if evaluate(dataset, cfg.test_evaluator, loads + rest[:count])[0] < 1:
            break
    culprit = transform_name(rest[count - 1]) if count else 'the data set itself, before any transform'
    sys.exit(f'verify_pipeline: {culprit} breaks it: boxes and scale_factor do not fit together after it')


if __name__ == '__main__':
    main()
