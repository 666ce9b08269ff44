"""Chance: what pieces score as they lie in the encrypted image."""

from __future__ import annotations

import warnings

import numpy as np

from ...encryption import ShuffleParams, ShufflePlan
from .places import Places


def chance(
    params: ShuffleParams,
    plan: ShufflePlan,
    same: np.ndarray | None = None,
    seed: int | list[int] = 0,
    rounds: int = 20,
) -> dict[str, float]:
    """Return what :class:`Places` measures for pieces that are left as they lie.

    They are compared with random other plans of the same parameters: the mean of each figure.

    Args:
        params: of the shuffle.
        plan: of an image; only its size counts.
        same: as :class:`Places` takes it: equal pieces make chance higher.
        seed: of the plans.
        rounds: number of plans.

    Returns:
        Shares; those that are never defined are left out.
    """
    rng, places, scores = np.random.default_rng(seed), np.arange(plan.permutation.size).reshape(plan.shape), []
    for _ in range(rounds):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about a window of one patch, which the owner has seen
            other = params.plan(plan.plain_shape, rng)
        scores.append(Places.of_plan(places, None, other, same))
    found = {name: [score[name] for score in scores if np.isfinite(score[name])] for name in scores[0]}
    return {name: float(np.mean(values)) for name, values in found.items() if values}
