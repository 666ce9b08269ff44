"""Draw a detector's predictions over the images it reads and over the plain ones, side by side, as one PNG.

The same boxes twice: as the model gives them, on what it saw, and brought back
to the original frame by scale_factor, on the plain picture.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import load_checkpoint
from PIL import Image, ImageDraw

from hii_mm.compat import prepare

COLOURS = ('#e6194b', '#3cb44b', '#4363d8', '#f58231', '#911eb4', '#008080', '#9a6324', '#800000', '#808000', '#e0119d')
MARGIN, CAPTION = 8, 22


def parse_args():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--images', type=int, default=8, metavar='N', help='the first N of the test data (8)')
    parser.add_argument('--threshold', type=float, default=0.5, metavar='S', help='least score of a box (0.5)')
    parser.add_argument('--height', type=int, default=256, metavar='PIXELS', help='height of each picture (256)')
    parser.add_argument('--out', type=Path, default=Path('predictions.png'), metavar='PNG')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings, as key=value')
    args = parser.parse_args()
    if args.images < 1 or args.height < 32:
        parser.error(f'--images must be from 1 on and --height from 32, got {args.images} and {args.height}')
    return args


def drawn(image, boxes, labels, scores, classes, height):
    """An RGB picture of a height, with boxes (n, 4) xyxy in pixels of ``image``."""
    zoom = height / image.height
    page = image.resize((round(image.width * zoom), height), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(page)
    for box, label, score in zip(boxes * zoom, labels, scores, strict=True):
        colour = COLOURS[label % len(COLOURS)]
        draw.rectangle(box.tolist(), outline=colour, width=2)
        words, corner = f'{classes[label]} {score:.2f}', (max(box[0], 0) + 3, max(box[1], 0) + 2)
        draw.rectangle(draw.textbbox(corner, words), fill='white')
        draw.text(corner, words, fill=colour)
    return page


def pairs(model, dataset, args):
    """(what the model saw, the plain picture) of each image, both with its predictions."""
    for index in range(min(args.images, len(dataset))):
        packed = dataset[index]
        with torch.no_grad():
            (result,) = model.test_step(pseudo_collate([packed]))
        found = result.pred_instances[result.pred_instances.scores >= args.threshold].numpy()
        what = (found.labels, found.scores, dataset.metainfo['classes'], args.height)
        seen = Image.fromarray(packed['inputs'].numpy()[::-1].transpose(1, 2, 0).copy())  # (3, h, w) BGR
        plain = Image.open(result.img_path).convert('RGB')
        boxes = found.bboxes.reshape(-1, 4)
        yield drawn(seen, boxes * np.tile(result.scale_factor, 2), *what), drawn(plain, boxes, *what)


def sheet(pictures, columns=4):
    """One page: above what the model saw, below the plain picture."""
    pictures = list(pictures)
    width = max(picture.width for pair in pictures for picture in pair) + MARGIN
    height = pictures[0][0].height
    block = 2 * (height + CAPTION) + MARGIN
    rows = -(-len(pictures) // columns)
    page = Image.new('RGB', (min(columns, len(pictures)) * width + MARGIN, rows * block + MARGIN), 'white')
    for i, pair in enumerate(pictures):
        left, top = MARGIN + i % columns * width, MARGIN + i // columns * block
        for k, (picture, words) in enumerate(zip(pair, ('what the model saw', 'plain, the same boxes'), strict=True)):
            ImageDraw.Draw(page).text((left, top + k * (height + CAPTION) + 4), words, fill='black')
            page.paste(picture, (left, top + k * (height + CAPTION) + CAPTION))
    return page


def main():
    """Load, predict, draw, write."""
    args = parse_args()
    prepare()
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).eval()
    load_checkpoint(model, args.checkpoint, map_location='cpu', logger='silent')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(pairs(model, dataset, args)).save(args.out)
    print(args.out)


if __name__ == '__main__':
    main()
