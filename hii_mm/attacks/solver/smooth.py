"""Fill in the pixels that the pieces do not tell by the smoothest picture that agrees with those they do. NumPy.

A picture is sought among all that show the known pixels exactly (and, where
patches were mixed, average to the known mixed pixels): the one with the least
total variation, by reweighted squared differences and conjugate gradients
within those pictures. Differences across a seam weigh as much as it is likely
that both sides belong together: across a wrong seam nothing is drawn from one
side to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ...encryption import MixupParams
from ...encryption.mixup import average, spread
from .unmixing import EDGE, descend, roughness

EMPTY = 0.05  # least weight of a seam beside a place without a piece: the fill comes from somewhere
Size = tuple[int, int]


def smoothest(
    start: np.ndarray,
    known: np.ndarray,
    mixup: MixupParams | None,
    seams: Sequence[np.ndarray],
    steps: int = 40,
    rounds: int = 3,
    bend: float = 0.0,
) -> np.ndarray:
    """Return the picture of least variation that agrees with what is known of ``start``.

    Args:
        start: float32 (H, W, C) that agrees already; where the search begins.
        known: float32 (h, w, 1), 1 where the (mixed, with ``mixup``) pixel is known and 0 elsewhere.
        mixup: how the picture was mixed, or None.
        seams: weights of the differences down and across, (H - 1, W, 1) and (H, W - 1, 1).
        steps: of the conjugate gradients, at most, in each round.
        rounds: of reweighting; 0 minimises squared differences.
        bend: weight of the squared curvature beside that of the differences: across a narrow gap
            a slope goes on.

    Returns:
        float32 (H, W, C).
    """

    def free(direction: np.ndarray) -> np.ndarray:
        """Return what of a direction changes nothing that is known."""
        if mixup is None:
            return direction * (1 - known)
        return direction - spread(average(direction, mixup) * known, mixup)

    found, weights = start, list(seams)
    for count in range(rounds + 1):
        if count:
            weights = [seam * edge for seam, edge in zip(seams, _edges(found))]
        rest = -free(_slope(found, weights, bend))
        scale = max(float(np.mean([part.mean() for part in weights])), 1e-6)  # steps stop at the same change of grey
        found = descend(found, rest, partial(_pull, weights, bend, free), steps, 1e-3 * scale**2)
    return found


def _pull(
    weights: Sequence[np.ndarray], bend: float, free: Callable[[np.ndarray], np.ndarray], part: np.ndarray
) -> np.ndarray:
    return free(_slope(part, weights, bend))


def _slope(image: np.ndarray, weights: Sequence[np.ndarray], bend: float) -> np.ndarray:
    """Return the gradient of what is minimised."""
    found = roughness(image, weights)
    return found + bend * roughness(found, weights) if bend else found


def seam_weights(certainty: np.ndarray, filled: np.ndarray, size: Size) -> list[np.ndarray]:
    """Return the weights of the differences between the pixels of a picture of pieces.

    Args:
        certainty: float (rows, columns) in [0, 1], of each piece.
        filled: bool (rows, columns), False where no piece lies.
        size: (h, w) of a place in pixels.

    Returns:
        float32 (H - 1, W, 1) and (H, W - 1, 1): 1 within a place; across a
        seam the lower certainty of its two sides.
    """
    (rows, cols), (h, w) = certainty.shape, size
    sure = np.where(filled, certainty, 1).astype(np.float32)
    down, across = np.ones((rows * h - 1, cols * w), np.float32), np.ones((rows * h, cols * w - 1), np.float32)
    low = np.minimum(sure[1:], sure[:-1])
    low = np.where(filled[1:] & filled[:-1], low, np.maximum(low, EMPTY))
    down[h - 1 :: h] = low.repeat(w, axis=1)
    low = np.minimum(sure[:, 1:], sure[:, :-1])
    low = np.where(filled[:, 1:] & filled[:, :-1], low, np.maximum(low, EMPTY))
    across[:, w - 1 :: w] = low.repeat(h, axis=0)
    return [down[..., None], across[..., None]]


def _edges(image: np.ndarray) -> list[np.ndarray]:
    """Return weights of the differences down and across: small where the image has an edge."""
    parts = [np.diff(image, axis=axis) for axis in (0, 1)]
    return [np.sqrt(EDGE) / np.sqrt((part**2).sum(axis=2, keepdims=True) + EDGE) for part in parts]
