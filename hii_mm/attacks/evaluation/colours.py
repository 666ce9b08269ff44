"""Colour layout of a picture: mean colours of 14 x 14 cells, and how like two of them are. NumPy and Pillow."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..solver.pieces import as_uint8

CELLS, SHIFT = 14, 2  # cells of a side, and how far two pictures may be shifted, in cells


def layout(image: np.ndarray) -> np.ndarray:
    """Return the mean colours of CELLS x CELLS cells of (H, W[, C]): float32 (CELLS, CELLS, 3) in [0, 255]."""
    picture = Image.fromarray(as_uint8(image))
    return np.asarray(picture.resize((CELLS, CELLS), Image.Resampling.BOX), np.float32)


def layout_likeness(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Return the largest correlation over shifts of one layout with each of (n, CELLS, CELLS, 3): float32 (n,)."""
    best = np.full(len(many), -1, np.float32)
    for y in range(-SHIFT, SHIFT + 1):
        for x in range(-SHIFT, SHIFT + 1):
            (a, b), (c, d) = _overlap(y), _overlap(x)
            best = np.maximum(best, _correlations(one[a, c], many[:, b, d]))
    return best


def _overlap(shift: int) -> tuple[slice, slice]:
    """Return which cells of two pictures lie on each other if one is shifted."""
    return slice(max(0, shift), CELLS + min(0, shift)), slice(max(0, -shift), CELLS + min(0, -shift))


def _correlations(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Return the correlation of an array with each of (n, ...); 0 where one of them is constant."""
    flat, rows = one.reshape(-1), many.reshape(len(many), -1)
    return unit(rows - rows.mean(axis=1, keepdims=True)) @ unit(flat - flat.mean())


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors, (..., d), to length 1; those of nothing stay 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 1e-6, length, np.inf), np.float32)
