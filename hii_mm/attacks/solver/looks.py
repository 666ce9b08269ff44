"""Which version of a picture looks most like a public photograph: order of the colours, negative or not. NumPy.

A normal density of a few figures of photographs, fitted by ``tools/dev/fit_seams.py`` and shipped.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from .pieces import resized
from .seam_files import SHIPPED
from .tones import ORDERS

FILE = SHIPPED / 'looks.npz'
SIDE = 14  # cells along a side
MIDDLE = 115.0  # mean level of public photographs
RIDGE = 0.1  # added to the variances


def figures(means: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the figures of a picture, which do not depend on its levels: float64 (9,).

    Of each colour: its contrast against that of grey, how much brighter the
    upper part is, and how skewed it is.

    Args:
        means: float (n, 3), mean colours of cells.
        where: float (n, 2), their rows and columns.
    """
    rest = means - means.mean(axis=0)
    contrast = rest.mean(axis=1).std() + 1.0
    height = where[:, 0] - where[:, 0].mean()
    height = height / (height.std() + 1e-6)
    slope = -(rest * height[:, None]).mean(axis=0) / contrast
    skew = (rest**3).mean(axis=0) / contrast**3
    return np.concatenate([np.log(rest.std(axis=0) + 1.0) - np.log(contrast), slope, np.cbrt(skew)])


def fit(photos: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (9,) and the precision (9, 9) of the figures of photographs, (H, W, 3) uint8 each."""
    cells = np.argwhere(np.ones((SIDE, SIDE), bool))
    small = [resized(photo, (SIDE, SIDE)).reshape(-1, 3).astype(np.float64) for photo in photos]
    found = np.stack([figures(photo, cells) for photo in small])
    return found.mean(axis=0), np.linalg.inv(np.cov(found.T) + RIDGE * np.eye(found.shape[1]))


@functools.cache
def shipped() -> tuple[np.ndarray, np.ndarray]:
    """Return what :func:`fit` found on the photographs that the shipped seams were fitted to."""
    with np.load(FILE, allow_pickle=False) as file:
        return file['mean'], file['precision']


def likeliest(pieces: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return pieces of one picture, (n, h, w, 3), with the likeliest order of colours and direction, at usual levels.

    Args:
        pieces: float, in one tone.
        where: int (n, 2), their places.
    """
    mean, precision = shipped()
    versions = [(order, sign) for order in ORDERS for sign in (1, -1)]
    means, far = pieces.mean(axis=(1, 2)), []
    for order, sign in versions:
        miss = figures(sign * means[:, order], where) - mean
        far.append(miss @ precision @ miss)
    order, sign = versions[int(np.argmin(far))]
    found = sign * pieces[..., order]
    shifted: np.ndarray = found + MIDDLE - found.mean(axis=(0, 1, 2))
    return shifted
