"""Crops of public photos at many scales. NumPy and Pillow."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from ...encryption import Scheme
from ..solver.grids import shuffle_of
from ..solver.pieces import as_uint8, turn_codes

MOST, MOST_TURNED = 14, 7  # pieces along the side of a crop; the latter where each is taken in eight turns
CLOSEST = 0.25  # smallest scale of a crop, as a share of that at which the whole photo is seen
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def crop_shape(scheme: Scheme, size: tuple[int, int]) -> tuple[int, int]:
    """Return (h, w) of a crop in plain pixels: whole patches, at most those of an image of ``size``."""
    shuffle, parts = shuffle_of(scheme), scheme.mixup.grid if scheme.mixup else 1
    steps = [math.lcm(p, s * parts) for p, s in zip(scheme.patch_size, shuffle.patch_size)]
    most = MOST_TURNED if len(turn_codes(shuffle)) == 8 else MOST
    units = [max(1, most * s * parts // step) for s, step in zip(shuffle.patch_size, steps)]
    h, w = (step * max(1, min(unit, side // step)) for step, unit, side in zip(steps, units, size))
    return h, w


def crop(photo: np.ndarray, shape: tuple[int, int], size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return a random crop of (h, w) at a random scale, with random channel order and tone: uint8 (h, w, 3)."""
    photo = as_uint8(photo)
    whole = min(photo.shape[0] / size[0], photo.shape[1] / size[1])
    scale = max(whole * CLOSEST ** (rng.random() ** 2), min(whole, 1.0))
    h, w = (max(1, int(side * scale)) for side in shape)
    y, x = rng.integers(photo.shape[0] - h + 1), rng.integers(photo.shape[1] - w + 1)
    window = Image.fromarray(photo[y : y + h, x : x + w])
    part = np.asarray(window.resize(shape[::-1], FILTERS[int(rng.integers(len(FILTERS)))]))
    part = part[..., rng.permutation(3)] if rng.random() < 0.3 else part
    if rng.random() < 0.5:
        return part
    return (part * rng.uniform(0.75, 1.2) + rng.uniform(-20, 20)).clip(0, 255).astype(np.uint8)
