"""Find pieces of one view that lie across the seams of another. NumPy only."""

from __future__ import annotations

import numpy as np

NOISE = 3.0  # standard deviation, in grey levels, by which the same pixel of two views may differ


def bridges(
    own: np.ndarray, theirs: np.ndarray, shift: tuple[int, int], patch_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Score how surely some piece of another view lies across the seam of two of ours.

    Args:
        own: (n, h, w, C) pieces.
        theirs: (m, h, w, C) pieces of a view whose crop is shifted.
        shift: (down, right) of its crop, in pixels.
        patch_size: (h, w) of the plain patches, in pixels.

    Returns:
        float32 (n, n) twice: of piece i and j right of it, and j below it.
    """
    (y, x), (height, width) = (step % length for step, length in zip(shift, patch_size)), patch_size
    right, down = (np.zeros((len(own), len(own)), np.float32) for _ in range(2))
    for top in {y, y - height}:
        _add(right, own, theirs, (top, x), (top, x - width))
    for left in {x, x - width}:
        _add(down, own, theirs, (y, left), (y - height, left))
    return right, down


def _add(
    total: np.ndarray, own: np.ndarray, theirs: np.ndarray, first: tuple[int, int], second: tuple[int, int]
) -> None:
    """Add the probability that one piece of the other view lies at ``first`` from i and at ``second`` from j."""
    a, b = overlaps(own, theirs, *first), overlaps(own, theirs, *second)
    if a is not None and b is not None:
        total += a @ b.T


def overlaps(own: np.ndarray, theirs: np.ndarray, y: int, x: int) -> np.ndarray | None:
    """Return the probability that a piece of the other view lies ``y`` below and ``x`` right of ours.

    By the mean squared difference of the pixels that both would show.

    Args:
        own: (n, h, w, C).
        theirs: (m, h, w, C).
        y: in pixels.
        x: in pixels.

    Returns:
        float32 (n, m); None if they would share no pixel.
    """
    h, w = own.shape[1:3]
    if abs(y) >= h or abs(x) >= w:
        return None
    a = own[:, max(0, y) : h + min(0, y), max(0, x) : w + min(0, x)].reshape(len(own), -1)
    b = theirs[:, max(0, -y) : h - max(0, y), max(0, -x) : w - max(0, x)].reshape(len(theirs), -1)
    apart = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    fit = -np.maximum(apart, 0) / (2 * NOISE**2 * np.sqrt(a.shape[1]))
    share = np.exp(fit - fit.max(axis=1, keepdims=True)) * np.exp(fit - fit.max(axis=0, keepdims=True))
    return share / np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
