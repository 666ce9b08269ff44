"""Photographs that Python packages ship, to fit to where none are given. Pillow."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOGRAPHS = (  # that packages ship
    'astronaut.png', 'brick.png', 'camera.png', 'cell.png', 'chelsea.png', 'clock_motion.png', 'coffee.png',
    'coins.png', 'grass.png', 'gravel.png', 'hubble_deep_field.jpg', 'ihc.png', 'moon.png', 'motorcycle_left.png',
    'motorcycle_right.png', 'retina.jpg', 'rocket.jpg', 'china.jpg', 'flower.jpg',
)  # fmt: skip


def packaged_photos() -> list[np.ndarray]:
    """Return the photographs that scikit-image and, where it is installed, scikit-learn ship: (H, W, 3) uint8 each."""
    found = []
    for package, folder in (('skimage', 'data'), ('sklearn', 'datasets/images')):
        spec = importlib.util.find_spec(package)
        root = Path(spec.origin).parent / folder if spec and spec.origin else Path()
        for path in [root / name for name in PHOTOGRAPHS if (root / name).is_file()]:
            with Image.open(path) as image:
                found.append(np.asarray(image.convert('RGB')))
    return found
