"""Photos that a training holds out, to tell what it learns. NumPy, Pillow and torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...encryption import Scheme
from ..solver.pieces import as_uint8
from .crops import crop_shape
from .examples import Example

SHARE = 10  # one of so many photos is held out


def split(photos: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the photos to learn from, and every tenth, which is held out."""
    unseen = [photo for number, photo in enumerate(photos) if number % SHARE == SHARE - 1]
    return [photo for number, photo in enumerate(photos) if number % SHARE != SHARE - 1], unseen


def middle(photo: np.ndarray, scheme: Scheme, size: tuple[int, int]) -> np.ndarray:
    """Return the middle of a photo, whole patches, at the scale at which ``size`` shows most of it: uint8 (h, w, 3)."""
    photo, shape = as_uint8(photo), crop_shape(scheme, size)
    scale = min(photo.shape[0] / size[0], photo.shape[1] / size[1])
    h, w = (max(1, int(side * scale)) for side in shape)
    y, x = (photo.shape[0] - h) // 2, (photo.shape[1] - w) // 2
    window = Image.fromarray(photo[y : y + h, x : x + w])
    return np.asarray(window.resize(shape[::-1], Image.Resampling.BILINEAR))


def top1(scores: Sequence[Any], found: Example) -> float:
    """Return the share of items with a right neighbour whose best score, (N, N) for each stream, it has."""
    hits = [score.argmax(axis=1)[seams[:, 0]] == seams[:, 1] for score, seams in zip(scores, found.seams) if len(seams)]
    return float(np.concatenate(hits).mean()) if hits else 0.0
