"""Build FashionScene: a large Fashion-MNIST item on a crop of a photograph, in a folder of each class.

    python tools/dataset_converters/fashion_scene.py [--root data] [--out data/fashion-scene]

One item of 10 classes, 72 to 110 pixels large, coloured, on a 128 x 128 crop of
one of GCompris' photographs (gcompris.py). Patches of 16 pixels give 64 places:
enough that their order matters to a recogniser, on pixels that are natural to an
attacker. Training and validation share neither items (Fashion-MNIST's own split)
nor photographs: training has those of ``learn``, on which the shipped attacks were
fitted, validation those of ``test``. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_det import CLASSES, DARK, SIDE, background, item_files, items

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator

LEAST, MOST = 72, 110  # pixels: the smallest and the largest item
SOFT = 24.0  # grey values over which an item's edge becomes opaque
FOLDERS = {'train': 'learn', 'val': 'test'}  # of GCompris' photographs
CHUNK = 250  # images of one task


def photograph_files(root: Path, split: str) -> list[Path]:
    """Return the files of a split's photographs."""
    return sorted((root / 'gcompris' / FOLDERS[split]).glob('*.webp'))


def photographs(root: Path, split: str) -> list[np.ndarray]:
    """Return the photographs of a split: (H, W, 3) uint8 RGB, each side at least ``SIDE``."""
    import numpy as np
    from PIL import Image

    return [np.asarray(Image.open(path).convert('RGB')) for path in photograph_files(root, split)]


def scene(item: np.ndarray, photos: list[np.ndarray], rng: Generator) -> np.ndarray:
    """Return a picture (SIDE, SIDE, 3) uint8 of an item (28, 28) uint8: its grey values shade a random colour."""
    import numpy as np
    from PIL import Image

    picture = background(photos, rng)
    size = int(rng.integers(LEAST, MOST + 1))
    top, left = rng.integers(SIDE - size + 1, size=2)
    mirrored = np.ascontiguousarray(item[:, :: rng.choice([-1, 1])])
    grey = np.asarray(Image.fromarray(mirrored).resize((size, size), Image.Resampling.BICUBIC)).astype(np.float32)
    colour = rng.uniform(0.35, 1.0, size=3).astype(np.float32)
    opaque = np.clip((grey - DARK) / SOFT, 0, 1)[..., None]
    below = picture[top : top + size, left : left + size]
    below[:] = np.rint(opaque * grey[..., None] * colour + (1 - opaque) * below)
    return picture


def write(numbers: range, root: Path, out: Path, split: str, seed: int) -> int:
    """Write the pictures of some numbers to ``out``/``split``/CLASS/NUMBER.png, and return how many."""
    import numpy as np
    from PIL import Image

    (images, labels), photos = _items(root, split), _photographs(root, split)
    for i in numbers:
        rng = np.random.default_rng([seed, split == 'val', i])
        index = int(rng.integers(len(images)))
        path = out / split / folder_name(int(labels[index])) / f'{i:05d}.png'
        Image.fromarray(scene(images[index], photos, rng)).save(path, compress_level=1)
    return len(numbers)


def folder_name(label: int) -> str:
    """Return the folder of a class: its name without what a path may not hold."""
    return CLASSES[label].lower().replace('/', '-').replace(' ', '-')


@functools.cache
def _items(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    return items(item_files(root, split))


@functools.cache
def _photographs(root: Path, split: str) -> list[np.ndarray]:
    return photographs(root, split)


def chunks(count: int) -> Iterator[range]:
    """Yield the numbers of the images of each task."""
    for start in range(0, count, CHUNK):
        yield range(start, min(start + CHUNK, count))


def build(root: Path, out: Path, split: str, count: int, seed: int) -> None:
    """Write the pictures of a split, with a process for each core."""
    from tqdm import tqdm

    for label in range(len(CLASSES)):
        (out / split / folder_name(label)).mkdir(parents=True)
    one = functools.partial(write, root=root, out=out, split=split, seed=seed)
    with ProcessPoolExecutor() as pool, tqdm(total=count, desc=split, unit='image', disable=None) as bar:
        for done in pool.map(one, chunks(count)):
            bar.update(done)


def main() -> None:
    """Build both parts; the folder gets its name when it is complete."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        '--root', type=Path, default=Path('data'), metavar='DIR', help='with fashion-mnist and gcompris (data)'
    )
    parser.add_argument('--out', type=Path, default=Path('data/fashion-scene'), metavar='DIR', help='(%(default)s)')
    parser.add_argument('--train', type=int, default=20_000, metavar='N', help='training images (%(default)s)')
    parser.add_argument('--val', type=int, default=4000, metavar='N', help='validation images (%(default)s)')
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='(%(default)s)')
    args = parser.parse_args()
    if args.out.exists():
        sys.exit(f'fashion_scene: {args.out} exists already; remove it to build it anew')
    for split in FOLDERS:
        for path in item_files(args.root, split):
            if not path.is_file():
                sys.exit(f'fashion_scene: file not found: {path}; run tools/dataset_converters/fashion_mnist.py first')
        if not photograph_files(args.root, split):
            folder = args.root / 'gcompris' / FOLDERS[split]
            sys.exit(f'fashion_scene: no photographs in {folder}; run tools/dataset_converters/gcompris.py first')
    partial = args.out.with_name(args.out.name + '.part')
    shutil.rmtree(partial, ignore_errors=True)
    for split in FOLDERS:
        build(args.root, partial, split, getattr(args, split), args.seed)
    os.replace(partial, args.out)
    print(f'fashion_scene: {args.out}: {args.train} training images, {args.val} validation images')


if __name__ == '__main__':
    main()
