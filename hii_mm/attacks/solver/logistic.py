"""Logistic regression with several classes, by L-BFGS. NumPy and SciPy.

Source: Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)  # of the penalty on squared weights, to choose from
FOLDS = 5


def fit(
    features: np.ndarray,
    target: np.ndarray,
    classes: int,
    strength: float,
    steps: int = 200,
    callback: Callable[[float], None] = lambda loss: None,
) -> np.ndarray:
    """Return weights that minimise the mean cross-entropy plus ``strength`` / 2 times their squares.

    Args:
        features: float (n, d).
        target: int (n,), 0 .. classes - 1.
        classes: number of classes.
        strength: of the penalty; the constants, the last row, have none.
        steps: of L-BFGS, at most.
        callback: called after each step, with the loss.

    Returns:
        float64 (d + 1, classes).
    """
    x = np.hstack([features, np.ones((len(features), 1))])
    right = np.eye(classes)[target]
    last = [0.0]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(x.shape[1], classes)
        scores = x @ weights
        total = logsumexp(scores, axis=1, keepdims=True)
        bare = weights * np.append(np.ones(len(weights) - 1), 0)[:, None]
        last[0] = float((total[:, 0] - (scores * right).sum(axis=1)).mean() + strength / 2 * (bare**2).sum())
        return last[0], (x.T @ (np.exp(scores - total) - right) / len(x) + strength * bare).ravel()

    start = np.zeros(x.shape[1] * classes)
    found = minimize(
        loss, start, jac=True, method='L-BFGS-B', options={'maxiter': steps}, callback=lambda _: callback(last[0])
    )
    return found.x.reshape(x.shape[1], classes)


def chances(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the probability of each class: float64 (n, classes)."""
    scores = np.hstack([features, np.ones((len(features), 1))]) @ weights
    return np.exp(scores - logsumexp(scores, axis=1, keepdims=True))


def best_strength(features: np.ndarray, target: np.ndarray, classes: int, group: np.ndarray) -> float:
    """Return the penalty of ``STRENGTHS`` with the least cross-entropy on parts that were held back.

    Args:
        features: float (n, d).
        target: int (n,).
        classes: number of classes.
        group: int (n,); rows of one group, such as views of one photo, are held back together.
    """
    part = group % FOLDS
    sums = []
    for strength in STRENGTHS:
        loss = 0.0
        for held in np.unique(part):
            rest = part != held
            if not rest.any():
                continue
            share = chances(features[~rest], fit(features[rest], target[rest], classes, strength, 60))
            loss -= float(np.log(np.maximum(share[np.arange(len(share)), target[~rest]], 1e-9)).sum())
        sums.append(loss)
    return STRENGTHS[int(np.argmin(sums))]
