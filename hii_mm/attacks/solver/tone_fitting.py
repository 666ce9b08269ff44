"""Fit the densities of windows across true seams of pieces of any tone. NumPy only.

Windows are taken from pieces as they were before the tone, any colour of them, and negatives too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import tone_measures
from .student import StudentT, fit_density
from .tone_windows import ToneWindow, contrasts, halves, level_free, planes

Picture = tuple[np.ndarray, np.ndarray]  # pieces (n, h, w, 3), and seams (S, 2): the left and the right piece


def tone_fitted(
    pictures: Sequence[Picture], h: int, w: int, samples: int, rng: np.random.Generator
) -> tuple[tuple[ToneWindow, ...], tuple[tuple[StudentT], ...]]:
    """Return the windows that fit pieces of (h, w), and the density of true neighbours of each."""
    shapes = tone_measures.windows(h, w)
    return shapes, tuple((_density(pictures, shape, samples, rng),) for shape in shapes)


def _density(pictures: Sequence[Picture], window: ToneWindow, samples: int, rng: np.random.Generator) -> StudentT:
    """Fit the density of true neighbours."""
    found, basis = [], level_free(window)
    for pieces, seams in pictures:
        seen = planes(pieces, window.kind)
        (a, b), count = halves(seen, seen, window), max(1, samples // len(pictures))
        row, colour = rng.integers(a.shape[2], size=count), rng.integers(len(seen), size=count)
        left, right = seams[rng.integers(len(seams), size=count)].T
        near = np.concatenate([a[colour, left, row], b[colour, right, row]], axis=1)
        if window.contrast:
            one, two = contrasts(seen, seen, window.rows)
            near /= np.sqrt((one[colour, left, row] + two[colour, right, row]) / 2)[:, None]
        found.append(near)
    both = np.concatenate(found)
    return fit_density(np.concatenate([both, -both]), basis)
