"""Likelihood ratios of windows across a seam, of pieces without their tone. NumPy only.

As :mod:`.windows`, of one colour at a time, and always free of the level: that
of a whole side where the window is as high as the piece. Each order of the
colours and each inversion of the right piece is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .student import StudentT, log_density, offset
from .tones import ORDERS

FLOOR = 1.0  # variance that rounding leaves in the smoothest piece
GREY, CHROMA, COLOUR = range(3)  # the mean of the colours, each one less the mean, each one
KINDS = ('grey', 'chroma', 'colour')


class ToneWindow(NamedTuple):
    """Shape of a window.

    Attributes:
        columns: pixels on each side of the seam.
        rows: pixels along the seam.
        contrast: scale the density of true neighbours by the contrast of the pieces.
        kind: ``GREY``, ``CHROMA`` or ``COLOUR``.
    """

    columns: int
    rows: int
    contrast: bool
    kind: int

    @property
    def size(self) -> int:
        """Number of values in a window."""
        return 2 * self.columns * self.rows

    @property
    def name(self) -> str:
        """Name of the measure."""
        return f'{KINDS[self.kind]} {"contrast " if self.contrast else ""}{self.columns}x{self.rows}'


def planes(pieces: np.ndarray, kind: int) -> np.ndarray:
    """Return what windows of a kind see: (n, h, w, 3) -> float32 (k, n, h, w), k = 1 or 3."""
    grey, colours = pieces.mean(axis=3), pieces.transpose(3, 0, 1, 2)
    return grey[None] if kind == GREY else colours - grey if kind == CHROMA else colours


def halves(left: np.ndarray, right: np.ndarray, window: ToneWindow) -> tuple[np.ndarray, np.ndarray]:
    """Return the halves of all windows: (k, n, h, w) -> float32 (k, n, h - rows + 1, size / 2), twice."""
    ends = left[..., -window.columns :], right[..., : window.columns]
    views = (np.lib.stride_tricks.sliding_window_view(end, window.rows, axis=2) for end in ends)
    a, b = (np.ascontiguousarray(view, np.float32).reshape(*view.shape[:3], -1) for view in views)
    return a, b


def contrasts(left: np.ndarray, right: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance to expect beside the seam: (k, n, h, w) -> float32 (k, n, h - rows + 1), twice."""
    return _along(energy(left[..., -4:]), rows), _along(energy(right[..., :4]), rows)


def energy(ends: np.ndarray) -> np.ndarray:
    """Return the mean square of differences between pixels beside each other, row by row: (..., h, w) -> (..., h)."""
    total = np.zeros(ends.shape[:-1], np.float32)
    if ends.shape[-1] > 1:
        total += np.square(np.diff(ends, axis=-1)).mean(axis=-1)
    if ends.shape[-2] > 1:
        jumps = np.square(np.diff(ends, axis=-2)).mean(axis=-1)
        total[..., :-1] += jumps / 2
        total[..., 1:] += jumps / 2
    return total


def _along(rows: np.ndarray, count: int) -> np.ndarray:
    """Mean over the rows of a window and two more on both sides: (..., h) -> (..., h - count + 1)."""
    height = rows.shape[-1]
    sums = np.concatenate([np.zeros((*rows.shape[:-1], 1)), rows.cumsum(axis=-1, dtype=np.float64)], axis=-1)
    first = np.arange(height - count + 1)
    low, high = np.maximum(first - 2, 0), np.minimum(first + count + 2, height)
    return ((sums[..., high] - sums[..., low]) / (high - low) + FLOOR).astype(np.float32)


def level_free(window: ToneWindow) -> np.ndarray:
    """Return an orthonormal basis, (size - 2, size), of the windows whose halves have mean 0 each."""
    half = np.linalg.svd(np.ones((1, window.size // 2)))[2][1:]
    return np.kron(np.eye(2), half)


def log_ratio(left: np.ndarray, right: np.ndarray, window: ToneWindow, density: StudentT) -> np.ndarray:
    """Return by how much two halves are likelier together than each by itself, its log summed along the side.

    Args:
        left: float32 (n, h, w, 3), without tone.
        right: float32 (m, h, w, 3), likewise.
        window: its shape.
        density: of true neighbours.

    Returns:
        float32 (k, k, 2, n, m): colour of the left piece, colour of the right piece, which is inverted or not.
    """
    one, two = planes(left, window.kind), planes(right, window.kind)
    (a, b), (kinds, n), m = halves(one, two, window), one.shape[:2], two.shape[1]
    a, b = a.reshape(kinds * n, *a.shape[2:]), b.reshape(kinds * m, *b.shape[2:])
    own = other = scales = None
    if window.contrast:
        own, other = (part.reshape(-1, part.shape[2]) for part in contrasts(one, two, window.rows))
        scales = own, np.concatenate([other, other])
    first, second = _marginal(a, density, window, 0, own), _marginal(b, density, window, 1, other)
    found = log_density(a, np.concatenate([b, -b]), density, scales)
    found -= first[:, None] + np.concatenate([second, second])
    return np.ascontiguousarray(found.reshape(kinds, n, 2, kinds, m).transpose(0, 3, 2, 1, 4))


def _marginal(
    half: np.ndarray, density: StudentT, window: ToneWindow, side: int, scales: np.ndarray | None
) -> np.ndarray:
    """Return the log-density of left (side 0) or right (1) halves (n, rows, d) by themselves, summed: float32 (n,)."""
    basis = level_free(window)
    count, size = len(basis) // 2, window.size // 2
    scatter = np.linalg.inv(basis @ density.precision @ basis.T)
    here = slice(side * count, (side + 1) * count)
    scatter, seen = scatter[here, here], half @ basis[here, side * size : (side + 1) * size].T.astype(np.float32)
    wide = np.ones(half.shape[:2], np.float32) if scales is None else scales
    far = np.einsum('nrd,nrd->nr', seen @ np.linalg.inv(scatter).astype(np.float32), seen) / wide
    value = -(density.freedom + count) / 2 * np.log1p(far / density.freedom) - count / 2 * np.log(wide)
    found: np.ndarray = value.sum(axis=1) + np.float32(half.shape[1] * offset(scatter, density.freedom))
    return found.astype(np.float32)


def by_state(ratios: np.ndarray) -> np.ndarray:
    """Return the ratios (k, k, 2, n, m) of all colours together, for each of ``STATES``: (12, n, m)."""
    if len(ratios) == 1:
        return np.concatenate([ratios[0, 0]] * len(ORDERS))
    return np.concatenate([_summed(ratios, order) for order in ORDERS])


def freely(ratios: np.ndarray) -> np.ndarray:
    """Return the same, best order, where each colour may be inverted by itself: (n, m)."""
    best = ratios.max(axis=2)
    return np.maximum.reduce([_summed(best, order) for order in ORDERS])


def _summed(ratios: np.ndarray, order: Sequence[int]) -> np.ndarray:
    return np.add.reduce([ratios[colour, other] for colour, other in enumerate(order)])
