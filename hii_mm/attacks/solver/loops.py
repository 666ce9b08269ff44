"""Make scores of neighbours agree around loops of four pieces. NumPy and SciPy.

If j is right of i, then the piece below j is right of the piece below i: going
down, right and up again leads from i to j. The log-probability of all such
ways, over any two pieces between, is added to the score of the pair. The idea
of loop constraints is from Son, Hays and Cooper, "Solving square jigsaw
puzzles with loop constraints", ECCV 2014; here it is one message passing over
all pairs at once, damped by a weight and repeated.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

ROUNDS = 8
WEIGHT = 0.7  # of the ways around, against the score itself
LOST = 0.3  # probability of no way around at all (borders, dropped pieces), shared by all pairs
WORST = -14.0  # a score counts no worse than this
DENSE = 1024  # items; above, only the most likely neighbours of each item are followed
FOLLOWED = 12


def consistent(
    right: np.ndarray, down: np.ndarray, rounds: int = ROUNDS, weight: float = WEIGHT
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores that agree with the ways around: float32 (N, N) twice, on a wider scale than the given ones.

    Args:
        right: float32 (N, N) log-posteriors that item j is right of item i; -inf where that is impossible, and stays.
        down: the same for item j below item i.
        rounds: of passing messages; 0 changes nothing.
        weight: of the ways around.
    """
    given = [np.maximum(table, WORST) for table in (right, down)]
    found = given
    for _ in range(rounds):
        r, d = (_followed(normalised(table)) for table in found)
        dr, rd = d @ r, r @ d
        ways = ((dr @ d.T, d.T @ rd), (rd @ r.T, r.T @ dr))
        found = [table + weight * (_log(one) + _log(two)) for table, (one, two) in zip(given, ways)]
    return tuple(np.where(np.isfinite(old), new, -np.inf) for old, new in zip((right, down), found))  # type: ignore


def normalised(scores: np.ndarray, rounds: int = 6) -> np.ndarray:
    """Return probabilities (N, N) whose rows and columns sum to about 1, by Sinkhorn's alternation."""
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    for _ in range(rounds):
        share /= share.sum(axis=1, keepdims=True)
        share /= np.maximum(share.sum(axis=0, keepdims=True), 1e-9)
    return share


def _followed(share: np.ndarray) -> np.ndarray:
    """Return the probabilities that messages follow: all, or as a sparse matrix the largest of each row."""
    if len(share) <= DENSE:
        return share
    cols = np.argpartition(share, -FOLLOWED, axis=1)[:, -FOLLOWED:]
    starts = np.arange(0, cols.size + 1, FOLLOWED)
    return csr_array((np.take_along_axis(share, cols, axis=1).ravel(), cols.ravel(), starts), shape=share.shape)


def _log(ways: np.ndarray) -> np.ndarray:
    """Return how much more likely than no way around the ways are, as a logarithm of at least 0, dense."""
    dense = ways if isinstance(ways, np.ndarray) else ways.toarray()
    return np.log1p(dense * np.float32(len(dense) / LOST))
