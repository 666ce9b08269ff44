"""The measures of a seam and their weighted sum. NumPy only.

The measures are log-likelihood ratios of windows across the seam
(:mod:`.windows`) and the classic ones (:mod:`.classic`); of pieces with a tone
those of :mod:`.tone_measures`. Each enters as it is, relative to the best of
its row and to the best of its column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import tone_measures
from .classic import classic, names
from .student import StudentT
from .tone_windows import ToneWindow
from .windows import Window, log_ratio

FLOOR = 0.03  # probability that the measures say nothing about a seam
Pairs = Any  # index of pairs, or bool (n, m): those that are impossible, such as a piece beside itself


class Side(NamedTuple):
    """The fitted model of the seams between pieces of one shape.

    Attributes:
        windows: those whose likelihood ratios are measures.
        densities: of true and of random neighbours, for each window; of true ones only, for pieces with a tone.
        spread: float32 (K,), standard deviation of each measure over the pairs of a picture.
        weights: float32 (2, K): of the measures as they are, and relative to the bests of row and column.
    """

    windows: tuple[Window | ToneWindow, ...]
    densities: tuple[tuple[StudentT, ...], ...]
    spread: np.ndarray
    weights: np.ndarray


def measure_names(windows: Sequence[Window | ToneWindow], width: int) -> tuple[str, ...]:
    """Return names of the measures of windows and of the others, in order."""
    toned = [window for window in windows if isinstance(window, ToneWindow)]
    if toned:
        return tone_measures.names(toned)
    shapes = (f'{"contrast" if w.contrast else "window"} {w.columns}x{w.rows}' for w in windows)
    return (*shapes, *names(width))


def raw_measures(left: np.ndarray, right: np.ndarray, gap: int, side: Side) -> np.ndarray:
    """Return all measures as they come: float32 (K, n, m)."""
    toned = [window for window in side.windows if isinstance(window, ToneWindow)]
    if toned:
        return tone_measures.measured(left, right, toned, side.densities)
    plain = [window for window in side.windows if isinstance(window, Window)]
    fitted = [log_ratio(left, right, window, *pair) for window, pair in zip(plain, side.densities)]
    return np.stack(fitted + classic(left, right, gap))


def standardised(measures: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return measures (K, n, m) with mean 0, divided by their spread (K,)."""
    measures -= measures.mean(axis=(1, 2), keepdims=True)
    measures /= spread[:, None, None]
    return measures


def bests(measures: np.ndarray, banned: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return the best of each row (K, n) and of each column (K, m), impossible pairs left out."""
    rows, columns = np.empty(measures.shape[:2], np.float32), np.empty(measures.shape[::2], np.float32)
    for layer, row, column in zip(measures, rows, columns):
        if banned is not None:
            layer = layer.copy()
            layer[banned] = layer.min()
        layer.max(axis=1, out=row)
        layer.max(axis=0, out=column)
    return rows, columns


def combined(measures: np.ndarray, weights: np.ndarray, banned: Pairs) -> np.ndarray:
    """Return the weighted sum of measures (K, n, m), as they are and relative to the bests: float32 (n, m)."""
    row, column = bests(measures, banned)
    total: np.ndarray = np.tensordot(weights[0] + 2 * weights[1], measures, 1)
    total -= (weights[1] @ row)[:, None]
    total -= weights[1] @ column
    return total
