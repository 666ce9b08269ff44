"""Draw a detector's predictions on the images it reads and on the plain ones, as one PNG.

The same boxes are drawn twice: on the model's input, as the model predicts
them, and on the plain image, scaled back to the original frame by scale_factor.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

COLOURS = ('#e6194b', '#3cb44b', '#4363d8', '#f58231', '#911eb4', '#008080', '#9a6324', '#800000', '#808000', '#e0119d')
MARGIN, CAPTION = 8, 22


def parse_args() -> argparse.Namespace:
    """Parse the command line; nothing heavy is imported yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--images', type=int, default=8, metavar='N', help='the first N of the test data (8)')
    parser.add_argument('--threshold', type=float, default=0.5, metavar='S', help='lowest score of a box (0.5)')
    parser.add_argument('--height', type=int, default=256, metavar='PIXELS', help='height of each image (256)')
    parser.add_argument('--out', type=Path, default=Path('predictions.png'), metavar='PNG')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override settings')
    args = parser.parse_args()
    if args.images < 1 or args.height < 32:
        parser.error(f'--images must be at least 1 and --height at least 32, got {args.images} and {args.height}')
    for what in ('config', 'checkpoint'):
        path = getattr(args, what)
        if '://' not in path and '::' not in path and not Path(path).is_file():
            parser.error(f'{what} file not found: {path!r}')
    return args


def drawn(
    image: Image, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, classes: tuple[str, ...], height: int
) -> Image:
    """Return an RGB image of a height, with boxes (n, 4) xyxy in pixels of ``image`` drawn on it."""
    from PIL import Image, ImageDraw

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


def pairs(model: Any, dataset: Any, args: argparse.Namespace) -> Iterator[tuple[Image, Image]]:
    """Yield the model's input and the plain image of each sample, both with its predictions."""
    import numpy as np
    import torch
    from mmengine.dataset import pseudo_collate
    from PIL import Image
    from tqdm import tqdm

    for index in tqdm(range(min(args.images, len(dataset))), unit='image', disable=None):
        packed = dataset[index]
        with torch.no_grad():
            (result,) = model.test_step(pseudo_collate([packed]))
        found = result.pred_instances[result.pred_instances.scores >= args.threshold].numpy()
        what = (found.labels, found.scores, dataset.metainfo['classes'], args.height)
        seen = Image.fromarray(packed['inputs'].numpy()[::-1].transpose(1, 2, 0).copy())  # (3, h, w) BGR
        plain = Image.open(result.img_path).convert('RGB')
        boxes = found.bboxes.reshape(-1, 4)
        yield drawn(seen, boxes * np.tile(result.scale_factor, 2), *what), drawn(plain, boxes, *what)


def sheet(pairs: Iterator[tuple[Image, Image]], columns: int = 4) -> Image:
    """Return one page: each model's input above its plain image."""
    from PIL import Image, ImageDraw

    pictures = list(pairs)
    width = max(picture.width for pair in pictures for picture in pair) + MARGIN
    height = pictures[0][0].height
    block = 2 * (height + CAPTION) + MARGIN
    rows = -(-len(pictures) // columns)
    page = Image.new('RGB', (min(columns, len(pictures)) * width + MARGIN, rows * block + MARGIN), 'white')
    for i, pair in enumerate(pictures):
        left, top = MARGIN + i % columns * width, MARGIN + i // columns * block
        for k, (picture, words) in enumerate(zip(pair, ('input of the model', 'plain, the same boxes'), strict=True)):
            ImageDraw.Draw(page).text((left, top + k * (height + CAPTION) + 4), words, fill='black')
            page.paste(picture, (left, top + k * (height + CAPTION) + CAPTION))
    return page


def draw(args: argparse.Namespace) -> None:
    """Load the model, predict, and write the page.

    Raises:
        HiiError: wrong arguments, or no usable set of mm packages.
    """
    from hii_mm.training.config import read_config

    cfg = read_config(args.config, args.cfg_options)
    from mmengine.registry import DATASETS, MODELS, init_default_scope
    from mmengine.runner import load_checkpoint

    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).eval()
    load_checkpoint(model, args.checkpoint, map_location='cpu', logger='silent')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(pairs(model, dataset, args)).save(args.out)
    print(args.out)


def main() -> int:
    """Draw; return the exit code."""
    args = parse_args()
    from hii_mm.errors import HiiError

    try:
        draw(args)
    except HiiError as error:
        print(f'draw_predictions: {error}', file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == '__main__':
    sys.exit(main())
