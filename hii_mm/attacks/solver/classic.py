"""Measures of how well pieces fit that need no fitting. NumPy; Lab by scikit-image.

All are aware of the pixels that a gap removed between the pieces:

- MGC: the jump across the seam against the jumps, over the same distance,
  inside the piece, by their mean and covariance. After Gallagher, "Jigsaw
  puzzles with pieces of unknown orientation", CVPR 2012.
- prediction: both borders are extrapolated to the middle of the seam, by
  several slopes, and compared by a sum of roots of differences, in Lab. After
  Pomeranz et al., "A fully automated greedy square jigsaw puzzle solver",
  CVPR 2011. Their gradients are compared likewise.

Real differences have heavy tails, so the log of each distance is taken.
"""

from __future__ import annotations

import numpy as np

SLOPES = (0.5, 1.0, 0.0)
NAMES = ('mgc', *(f'prediction {slope:g}' for slope in SLOPES), 'gradient')


def classic(left: np.ndarray, right: np.ndarray, gap: int) -> list[np.ndarray]:
    """Measure how well each piece of ``right`` continues each piece of ``left``; higher is better.

    Args:
        left: float32 (n, h, w, 3) RGB in [0, 255]; their right sides meet the others' left sides.
        right: float32 (m, h, w, 3).
        gap: pixels that were removed on every side of each piece.

    Returns:
        float32 (n, m) for each of ``NAMES``; pieces one pixel wide have no gradient and one prediction.
    """
    lag = 2 * gap + 1
    found = [-np.log(np.maximum(_mgc(left, right, lag), 1e-3) + 5)]
    a, b = as_lab(left[:, :, -2:]), as_lab(right[:, :, :2])
    if left.shape[2] < 2:
        return [*found, -np.log(_root_distance(a[:, :, 0], b[:, :, 0]) + 1)]
    out, back = a[:, :, 1] - a[:, :, 0], b[:, :, 0] - b[:, :, 1]
    ends = [(a[:, :, 1] + s * lag / 2 * out, b[:, :, 0] + s * lag / 2 * back) for s in SLOPES]
    return found + [-np.log(_root_distance(*pair) + 1) for pair in (*ends, (out, -back))]


def names(width: int) -> tuple[str, ...]:
    """Return the names of the measures that :func:`classic` gives for pieces of a width in pixels."""
    return NAMES if width > 1 else (NAMES[0], NAMES[-2])


def as_lab(pieces: np.ndarray) -> np.ndarray:
    """Convert RGB (n, h, w, 3) in [0, 255] to CIE Lab, float32."""
    from skimage.color import rgb2lab

    return rgb2lab(pieces / 255).astype(np.float32)


def _mgc(left: np.ndarray, right: np.ndarray, lag: int) -> np.ndarray:
    """Return (n, m) Mahalanobis distances of the jumps, both ways, by matrix products."""
    lag = min(lag, left.shape[2] - 1)
    last, first = left[:, :, -1], right[:, :, 0]
    mean, inverse = _jumps(last - left[:, :, -1 - lag])
    forth = _quadratic(inverse, last + mean[:, None], first)
    mean, inverse = _jumps(right[:, :, lag] - first)
    return forth + _quadratic(inverse, first - mean[:, None], last).T


def _jumps(jumps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n, 3) and inverse covariance (n, 3, 3) of (n, h, 3) jumps."""
    mean = jumps.mean(axis=1)
    rest = jumps - mean[:, None]
    covariance = np.einsum('nkc,nkd->ncd', rest, rest) / max(1, jumps.shape[1] - 1)
    return mean, np.linalg.inv(covariance + 3 * np.eye(jumps.shape[2], dtype=np.float32))


def _quadratic(inverse: np.ndarray, ends: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return (n, m): sum over rows of (start - end)' inverse (start - end)."""
    n, m = len(ends), len(starts)
    weighted = np.einsum('ncd,nkd->nkc', inverse, ends)
    squares = np.einsum('nkc,nkd->ncd', starts, starts).reshape(m, -1)
    constant = np.einsum('nkc,nkc->n', weighted, ends)[:, None]
    return inverse.reshape(n, -1) @ squares.T - 2 * weighted.reshape(n, -1) @ starts.reshape(m, -1).T + constant


def _root_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return (n, m): sum over (h, c) of the roots of absolute differences."""
    from .kernels import root_distance  # numba takes a second to load

    flat = np.ascontiguousarray(a.reshape(len(a), -1), np.float32)
    return root_distance(flat, np.ascontiguousarray(b.reshape(len(b), -1).T, np.float32))
