"""Fit the weights of measures by maximum likelihood of true neighbours. SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .seam_measures import FLOOR, bests

ENTRIES = 600_000  # candidates of all seams that the weights are fitted to
LEAST = 14  # seams of a picture, however many candidates they have
PENALTY = 1e-4  # on the squares of the weights


class Questions(NamedTuple):
    """Which piece is beside which side of a piece.

    Attributes:
        features: float32 (Q, n - 1, 2 K), the measures of all candidates: as they are, and relative to the bests of
            row and column.
        targets: int (Q,), the true one.
    """

    features: np.ndarray
    targets: np.ndarray


def questions(measures: np.ndarray, seams: np.ndarray, count: int, rng: np.random.Generator) -> Questions:
    """Return both questions of some seams of a picture.

    Args:
        measures: float32 (K, n, n).
        seams: int (S, 2), the left and the right piece.
        count: seams to take, at random.
        rng: draws them.
    """
    features, targets = [], []
    itself = (np.arange(measures.shape[1]),) * 2
    row, column = bests(measures, itself)
    for i, j in seams[rng.permutation(len(seams))[:count]]:
        asked = (measures[:, i], row[:, i, None] + column, i, j), (measures[:, :, j], row + column[:, j, None], j, i)
        for here, ends, own, other in asked:
            features.append(np.delete(np.concatenate([here, 2 * here - ends]), own, axis=1).T)
            targets.append(other - (other > own))
    return Questions(np.stack(features).astype(np.float32), np.array(targets))


def fit_weights(asked: Sequence[Questions]) -> np.ndarray:
    """Maximise the likelihood of true neighbours, in both directions: float32 (2, K).

    Args:
        asked: of standardised measures, all of as many candidates.
    """
    from scipy.optimize import minimize

    candidates, targets = (np.concatenate(parts) for parts in zip(*asked))
    flat = candidates.reshape(-1, candidates.shape[2])
    chance, count = FLOOR / candidates.shape[1], len(targets)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = (flat @ weights.astype(np.float32)).reshape(candidates.shape[:2])
        logits -= logits.max(axis=1, keepdims=True)
        share = np.exp(logits, out=logits)
        share /= share.sum(axis=1, keepdims=True)
        hit = share[np.arange(count), targets]
        value = -np.log((1 - FLOOR) * hit + chance).mean()
        blame = (1 - FLOOR) * hit / ((1 - FLOOR) * hit + chance) / count
        share *= blame[:, None]
        share[np.arange(count), targets] -= blame
        gradient = share.ravel() @ flat
        return value + PENALTY * weights @ weights, gradient + 2 * PENALTY * weights

    start = np.zeros(flat.shape[1])
    start[: len(start) // 2] = 2 / len(start)
    found = minimize(loss, start, jac=True, method='L-BFGS-B', options={'maxiter': 100})
    return found.x.reshape(2, -1).astype(np.float32)
