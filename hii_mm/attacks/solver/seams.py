"""Score how well pieces fit side by side, as log-posteriors. NumPy only.

Two measures, both aware of the pixels that a gap removed between the pieces:

- MGC: the jump across the seam against the jumps, over the same distance,
  inside the piece, by their mean and covariance. After Gallagher, "Jigsaw
  puzzles with pieces of unknown orientation", CVPR 2012.
- prediction: both borders are extrapolated to the middle of the seam and
  compared by a sum of roots of differences, in Lab. After Pomeranz et al.,
  "A fully automated greedy square jigsaw puzzle solver", CVPR 2011.

Real differences have heavy tails, so a measure d counts as d ** -weight. The
weights were fitted once, by maximum likelihood of the true neighbours in the
photographs of ``evaluation/photos.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FLOOR = 0.03  # probability that the measures say nothing about a seam
WEIGHTS = {  # by gap: MGC, prediction with slope 1/2, 1, 0, and of gradients
    0: (1.69, 1.57, 8.93, 1.90, -5.25),
    1: (1.25, 3.43, 3.20, 1.13, -3.15),
    2: (1.06, 3.83, 0.37, 1.00, -1.90),
    3: (0.82, 3.87, -1.13, 1.17, -1.35),
    4: (0.67, 2.73, -1.03, 1.20, -1.00),
}
SLOPES = (0.5, 1.0, 0.0)


def as_lab(pieces: np.ndarray) -> np.ndarray:
    """Convert RGB (n, h, w, 3) in [0, 255] to CIE Lab, float32."""
    from skimage.color import rgb2lab

    return rgb2lab(pieces / 255).astype(np.float32)


def seam_scores(
    left: np.ndarray, right: np.ndarray, lab_left: np.ndarray, lab_right: np.ndarray, gap: int
) -> np.ndarray:
    """Score how well each piece of ``right`` continues each piece of ``left``; higher is better.

    Args:
        left: float32 (n, h, w, 3) RGB; their right sides meet the others' left sides.
        right: float32 (m, h, w, 3) RGB.
        lab_left: ``left`` in Lab.
        lab_right: ``right`` in Lab.
        gap: pixels that were removed on every side of each piece.

    Returns:
        float32 (n, m), an unnormalised log-likelihood.
    """
    height, width = left.shape[1:3]
    weights = np.array(WEIGHTS[min(gap, max(WEIGHTS))], np.float32) * min(1.0, height / max(1, 16 - 2 * gap))
    lag = 2 * gap + 1
    scores = -weights[0] * np.log(np.maximum(_mgc(left, right, lag), 1e-3) + 5)
    if width < 2:
        ends = [(lab_left[:, :, -1], lab_right[:, :, 0], weights[1:4].sum())]
    else:
        out = lab_left[:, :, -1] - lab_left[:, :, -2]
        back = lab_right[:, :, 0] - lab_right[:, :, 1]
        ends = [
            (lab_left[:, :, -1] + s * lag / 2 * out, lab_right[:, :, 0] + s * lag / 2 * back, w)
            for s, w in zip(SLOPES, weights[1:4])
        ]
        ends.append((out, -back, weights[4]))
    for a, b, weight in ends:
        scores -= weight * np.log(_root_distance(a, b) + 1)
    return scores


def posteriors(scores: np.ndarray, banned: Any) -> np.ndarray:
    """Return log P(right | left) + log P(left | right), each with a share ``FLOOR`` of chance.

    Args:
        scores: float32 (N, N), from :func:`seam_scores`.
        banned: bool (N, N), or index of the pairs that are impossible, such as a piece beside itself.

    Returns:
        float32 (N, N); -inf where banned.
    """
    scores = scores.copy()
    scores[banned] = -1e9
    total = _log_share(scores, 1)
    total += _log_share(scores, 0)
    total[banned] = -np.inf
    return total


def _log_share(scores: np.ndarray, axis: int) -> np.ndarray:
    share = np.exp(scores - scores.max(axis=axis, keepdims=True))
    share *= (1 - FLOOR) / share.sum(axis=axis, keepdims=True)
    share += FLOOR / scores.shape[axis]
    return np.log(share, out=share)


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
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    total = np.empty((len(a), len(b)), np.float32)
    columns = np.ascontiguousarray(b.T)
    step = max(1, 200_000 // max(1, len(b)))
    for start in range(0, len(a), step):
        rows = a[start : start + step]
        block = np.zeros((len(rows), len(b)), np.float32)
        spare = np.empty_like(block)
        for k in range(a.shape[1]):
            np.subtract(rows[:, k : k + 1], columns[k], out=spare)
            np.abs(spare, out=spare)
            np.sqrt(spare, out=spare)
            block += spare
        total[start : start + step] = block
    return total
