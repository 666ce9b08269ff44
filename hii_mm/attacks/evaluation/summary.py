"""Mean, worst decile and interval of figures over images."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def summary(
    values: Sequence[float | None], seed: int = 0, rounds: int = 2000, images: Sequence[Hashable] | None = None
) -> dict[str, float | int | None]:
    """Return the mean, the worst decile and a 95 % bootstrap interval of the mean.

    Several runs on one image are no independent samples: mean and interval are
    over the images, each with the mean of its runs. The worst decile, from the
    owner's point of view, is the mean of the highest tenth of the values (at
    least one): what is recovered in the runs that fared worst.

    Args:
        values: None and NaN are left out.
        seed: of the bootstrap, so that it is the same each time.
        rounds: how often it draws.
        images: the image behind each value; None if each value has its own.

    Returns:
        ``mean``, ``worst_decile``, ``low`` and ``high``, all None if there is
        no value; ``count`` of values and ``images``, the number of different images.
    """
    by_image: dict[Hashable, list[float]] = {}
    names: Sequence[Hashable] = range(len(values)) if images is None else images
    for name, value in zip(names, values):
        if value is not None and np.isfinite(value):
            by_image.setdefault(name, []).append(float(value))
    if not by_image:
        return {'mean': None, 'worst_decile': None, 'low': None, 'high': None, 'count': 0, 'images': 0}
    means, known = np.array([np.mean(found) for found in by_image.values()]), np.concatenate([*by_image.values()])
    draws = np.random.default_rng(seed).integers(len(means), size=(rounds, len(means)))
    low, high = np.quantile(means[draws].mean(axis=1), [0.025, 0.975])
    worst = np.sort(known)[-max(1, len(known) // 10) :].mean()
    return {
        'mean': float(means.mean()),
        'worst_decile': float(worst),
        'low': float(low),
        'high': float(high),
        'count': len(known),
        'images': len(means),
    }
