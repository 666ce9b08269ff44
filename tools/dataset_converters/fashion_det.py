"""Build FashionDet: Fashion-MNIST items on crops of photographs, in COCO format.

Each image has 1 to 5 items of 10 classes, 24 to 64 pixels large, with little
overlap, on a 128 x 128 crop of one of scikit-image's and scikit-learn's
photographs. Training and validation share neither items (Fashion-MNIST's own
split) nor photographs. Boxes and masks are those of the visible pixels of each
item. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator

# Fashion-MNIST's classes by label, as in mmpretrain's ``FASHIONMNIST_CATEGORITES``
CLASSES = (
    'T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot',
)  # fmt: skip

SIDE, LEAST, MOST = 128, 24, 64  # pixels: the picture, the smallest and the largest item
PHOTOS = {
    'train': [
        'brick.png',
        'cell.png',
        'chelsea.png',
        'china.jpg',
        'clock_motion.png',
        'coffee.png',
        'coins.png',
        'grass.png',
        'hubble_deep_field.jpg',
        'ihc.png',
        'moon.png',
        'motorcycle_left.png',
        'page.png',
        'retina.jpg',
        'rocket.jpg',
        'text.png',
    ],  # fmt: skip
    'val': ['astronaut.png', 'camera.png', 'gravel.png', 'flower.jpg'],
}
DARK = 12  # grey value up to which a pixel of an item is background
COVERED = 0.1  # the largest share of an item that another may cover


def photographs(split: str) -> list[np.ndarray]:
    """Return the photographs of a split: (H, W, 3) uint8 RGB, each side at least ``SIDE``."""
    import numpy as np
    import skimage
    import sklearn.datasets
    from PIL import Image

    folders = [Path(skimage.__file__).parent / 'data', Path(sklearn.datasets.__file__).parent / 'images']
    paths = [next(folder / name for folder in folders if (folder / name).is_file()) for name in PHOTOS[split]]
    return [np.asarray(Image.open(path).convert('RGB')) for path in paths]


def item_files(root: Path, split: str) -> list[Path]:
    """Return the files of a split of Fashion-MNIST: images and labels."""
    part = 'train' if split == 'train' else 't10k'
    return [root / 'fashion-mnist' / f'{part}-{kind}-ubyte' for kind in ('images-idx3', 'labels-idx1')]


def items(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read images (N, 28, 28) uint8 and labels (N,)."""
    import numpy as np

    images, labels = (np.frombuffer(path.read_bytes(), np.uint8) for path in paths)
    return images[16:].reshape(-1, 28, 28), labels[8:]


def background(photos: list[np.ndarray], rng: Generator) -> np.ndarray:
    """Return a (SIDE, SIDE, 3) crop of a random photograph: random scale, rotation by quarters, and mirroring."""
    import numpy as np
    from PIL import Image

    photo = photos[rng.integers(len(photos))]
    side = int(rng.integers(SIDE, min(photo.shape[:2]) + 1))
    top, left = (int(rng.integers(length - side + 1)) for length in photo.shape[:2])
    crop = Image.fromarray(photo[top : top + side, left : left + side]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.rot90(np.asarray(crop), rng.integers(4))[:, :: rng.choice([-1, 1])].copy()


def place(item: np.ndarray, taken: list[np.ndarray], rng: Generator) -> tuple[np.ndarray, np.ndarray] | None:
    """Return grey (SIDE, SIDE) uint8 and bool mask of an item at a random free place, or None after 20 tries."""
    import numpy as np
    from PIL import Image

    size = int(rng.integers(LEAST, MOST + 1))
    scaled = np.asarray(Image.fromarray(item).resize((size, size), Image.Resampling.BILINEAR))
    for _ in range(20):
        top, left = rng.integers(SIDE - size + 1, size=2)
        grey = np.zeros((SIDE, SIDE), np.uint8)
        grey[top : top + size, left : left + size] = scaled
        mask = grey > DARK
        if all((mask & other).sum() <= COVERED * min(mask.sum(), other.sum()) for other in taken):
            return grey, mask
    return None


def scene(
    images: np.ndarray, labels: np.ndarray, photos: list[np.ndarray], rng: Generator
) -> tuple[np.ndarray, list[np.ndarray], list[int]]:
    """Return the image (SIDE, SIDE, 3) uint8, masks (SIDE, SIDE) bool and labels of a random scene."""
    import numpy as np

    picture = background(photos, rng)
    masks: list[np.ndarray] = []
    found: list[int] = []
    for index in rng.integers(len(images), size=rng.integers(1, 6)):
        placed = place(images[index], masks, rng)
        if placed is None:
            continue
        grey, mask = placed
        tint = rng.uniform(0.7, 1.0, size=3)
        picture[mask] = (grey[mask][:, None] * tint).astype(np.uint8)
        masks = [other & ~mask for other in masks] + [mask]
        found.append(int(labels[index]))
    return picture, masks, found


def annotation(mask: np.ndarray, label: int, image_id: int, number: int) -> dict[str, Any]:
    """Return one entry of COCO's ``annotations``: box and mask of the visible pixels."""
    import numpy as np
    from pycocotools import mask as coder

    ys, xs = np.nonzero(mask)
    box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
    code = coder.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(
        id=number,
        image_id=image_id,
        category_id=label + 1,
        bbox=box,
        area=int(mask.sum()),
        iscrowd=0,
        segmentation=dict(size=[SIDE, SIDE], counts=code['counts'].decode()),
    )


def build(root: Path, out: Path, split: str, count: int, seed: int) -> int:
    """Write ``out``/``split``/*.png and ``out``/annotations/``split``.json; return the number of objects."""
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    images, labels = items(item_files(root, split))
    photos = photographs(split)
    entries: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = []
    (out / split).mkdir(parents=True)
    for i in tqdm(range(count), desc=split, unit='image', disable=None):
        rng = np.random.default_rng([seed, split == 'val', i])
        picture, masks, found = scene(images, labels, photos, rng)
        name = f'{i:05d}.png'
        Image.fromarray(picture).save(out / split / name)
        pictures.append(dict(id=i, file_name=name, width=SIDE, height=SIDE))
        for mask, label in zip(masks, found):
            entries.append(annotation(mask, label, i, len(entries) + 1))
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)]
    path = out / 'annotations' / f'{split}.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(dict(images=pictures, annotations=entries, categories=categories)))
    return len(entries)


def main() -> None:
    """Build both parts; the folder gets its name when it is complete."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--root', type=Path, default=Path('data'), help='folder with fashion-mnist (default: data)')
    parser.add_argument('--out', type=Path, default=Path('data/fashion-det'), help='where to write it')
    parser.add_argument('--train', type=int, default=8000, metavar='N', help='training images (8000)')
    parser.add_argument('--val', type=int, default=500, metavar='N', help='validation images (500)')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if args.out.exists():
        sys.exit(f'fashion_det: {args.out} exists already; remove it to build it anew')
    missing = [path for split in ('train', 'val') for path in item_files(args.root, split) if not path.is_file()]
    if missing:
        sys.exit(f'fashion_det: file not found: {missing[0]}; run tools/dataset_converters/fashion_mnist.py first')
    partial = args.out.with_name(args.out.name + '.part')
    shutil.rmtree(partial, ignore_errors=True)
    for split in ('train', 'val'):
        count = getattr(args, split)
        objects = build(args.root, partial, split, count, args.seed)
        print(f'fashion_det: {split}: {count} images, {objects} objects')
    os.replace(partial, args.out)


if __name__ == '__main__':
    main()
