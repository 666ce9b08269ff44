"""Draw the contact sheet of FashionScene: the first validation images of each class, plain and encrypted.

python tools/docs/scene_sheet.py [--data data/fashion-scene] [--out docs/images/fashion_scene.webp]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from hii_mm import Scheme

SCHEMES = tuple(map(Scheme.preset, ('paper-rs', 'light', 'strong', 'mixed')))


def sheet(folder: Path) -> Image.Image:
    """Return a picture with a column for each class: two plain images, and the second encrypted in each way."""
    rows = []
    for place in range(2 + len(SCHEMES)):
        row = []
        for label in sorted(path for path in folder.iterdir() if path.is_dir()):
            files = sorted(label.iterdir())
            image = np.asarray(Image.open(files[min(place, 1)]))
            row.append(image if place < 2 else encrypted(image, SCHEMES[place - 2]))
        rows.append(np.hstack(row))
    return Image.fromarray(np.vstack(rows))


def encrypted(image: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Return an image under a scheme, on white of its own size."""
    small = scheme.plan(image.shape, np.random.default_rng(0)).apply(image)
    out = np.full_like(image, 255)
    out[: small.shape[0], : small.shape[1]] = small
    return out


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='Draw the contact sheet of FashionScene.')
    parser.add_argument('--data', type=Path, default=Path('data/fashion-scene'))
    parser.add_argument('--out', type=Path, default=Path('docs/images/fashion_scene.webp'))
    args = parser.parse_args()
    sheet(args.data / 'val').resize((800, 480)).save(args.out, quality=70)
