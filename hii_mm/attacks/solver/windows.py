"""Likelihood ratios of small windows across a seam: Student-t densities of true and of random neighbours. NumPy only.

A window holds some columns on each side of the seam, some rows and all
channels. Its two densities are fitted to public photographs at the attacked
setting; the log of their ratio is summed along the side. Densities of whole
windows take the colour level in; contrast windows leave it out, and scale the
density of true neighbours by the contrast of the two pieces beside the seam.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .student import StudentT, log_density

FLOOR = 4.0  # variance that rounding and noise leave in the smoothest piece


class Window(NamedTuple):
    """Shape of a window.

    Attributes:
        columns: pixels on each side of the seam.
        rows: pixels along the seam.
        contrast: leave the level out, and scale by the contrast of the pieces.
    """

    columns: int
    rows: int
    contrast: bool = False

    @property
    def size(self) -> int:
        """Number of values in a window of three channels."""
        return 6 * self.columns * self.rows


def sides(left: np.ndarray, right: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Return the halves of all windows: (n, h, w, 3) -> float32 (n, h - rows + 1, size / 2), twice."""
    ends = left[:, :, -window.columns :], right[:, :, : window.columns]
    views = (np.lib.stride_tricks.sliding_window_view(end, window.rows, axis=1) for end in ends)
    a, b = (np.ascontiguousarray(view, np.float32).reshape(*view.shape[:2], -1) for view in views)
    return a, b


def contrasts(left: np.ndarray, right: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance to expect beside the seam: (n, h, w, 3) -> float32 (n, h - rows + 1), twice."""
    a, b = _energy(left[:, :, -4:]), _energy(right[:, :, :4])
    return _along(a, window.rows), _along(b, window.rows)


def _energy(ends: np.ndarray) -> np.ndarray:
    """Return the mean square of differences between pixels beside each other, row by row: (n, h, w, 3) -> (n, h)."""
    n, h = ends.shape[:2]
    total = np.zeros((n, h), np.float32)
    if ends.shape[2] > 1:
        total += np.square(np.diff(ends, axis=2)).mean(axis=(2, 3))
    if h > 1:
        jumps = np.square(np.diff(ends, axis=1)).mean(axis=(2, 3))
        total[:, :-1] += jumps / 2
        total[:, 1:] += jumps / 2
    return total


def _along(energy: np.ndarray, rows: int) -> np.ndarray:
    """Mean over the rows of a window and two more on both sides: (n, h) -> (n, h - rows + 1)."""
    count = energy.shape[1]
    sums = np.concatenate([np.zeros((len(energy), 1)), energy.cumsum(axis=1, dtype=np.float64)], axis=1)
    first = np.arange(count - rows + 1)
    low, high = np.maximum(first - 2, 0), np.minimum(first + rows + 2, count)
    return ((sums[:, high] - sums[:, low]) / (high - low) + FLOOR).astype(np.float32)


def level_free(window: Window) -> np.ndarray:
    """Return an orthonormal basis, (size - 3, size), of the windows whose channels have mean 0."""
    pixels = window.size // 3
    basis = np.linalg.svd(np.ones((1, pixels)))[2][1:]
    # a half is (columns, channels, rows): pixels of one channel are not beside each other
    order = np.arange(window.size).reshape(2, window.columns, 3, window.rows)
    whole = np.zeros((3 * len(basis), window.size))
    for channel in range(3):
        whole[channel * len(basis) : (channel + 1) * len(basis), order[:, :, channel].ravel()] = basis
    return whole


def log_ratio(left: np.ndarray, right: np.ndarray, window: Window, true: StudentT, chance: StudentT) -> np.ndarray:
    """Return the log of the likelihood ratio of true and random neighbours, summed along the side.

    Args:
        left: float32 (n, h, w, 3), at least as large as the window.
        right: float32 (m, h, w, 3).
        window: its shape.
        true: density of true neighbours.
        chance: density of random neighbours.

    Returns:
        float32 (n, m).
    """
    a, b = sides(left, right, window)
    scales = contrasts(left, right, window) if window.contrast else None
    return log_density(a, b, true, scales) - log_density(a, b, chance)
