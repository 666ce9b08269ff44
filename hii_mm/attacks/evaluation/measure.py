"""Measure what an attack recovered, with the floors beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...encryption import ShufflePlan
from ...encryption.turns import turn_grid
from ..base import Given, Recovery
from ..solver.pieces import as_uint8, classes, cut, resized
from . import judges
from .cases import Case
from .likeness import Likeness, floors
from .places import TURNS, Places, chance, turned_classes
from .retrieval import Retrieval
from .store import Digests


@dataclass(frozen=True)
class Measured:
    """The figures of one recovery.

    Attributes:
        metrics: ``{metric: value}``, finite.
        floors: ``{floor: {metric: value}}``: what costs no attack.
        image: the recovered picture, turned as a whole if pieces were turned and that fits better.
    """

    metrics: Mapping[str, float]
    floors: Mapping[str, Mapping[str, float]]
    image: np.ndarray | None


class Measures:
    """Measures recoveries; what several of them need is computed once.

    Args:
        seed: of the plans that chance is measured with.
        digests: to recognise equal sets of pieces.
    """

    def __init__(self, seed: int, digests: Digests) -> None:
        self.seed, self._digests = seed, digests
        self._seen: dict[str, dict[str, Any]] = {}
        self._chances: dict[tuple, dict[str, float]] = {}

    def measure(self, case: Case, found: Recovery, given: Given) -> Measured:
        """Compare a recovery with the truth; without truth there are no figures."""
        plain, image = case.plain, found.image
        if plain is None:
            return Measured({}, {}, image)
        shuffle = case.plan.shuffle if case.plan else None
        measured: dict[str, float] = {}
        luck: dict[str, float] = {}
        if found.places is not None and shuffle is not None:
            measured, luck = self._places(case, shuffle, found)
        if image is not None:
            image, likeness = _best_turn(plain, image, shuffle)
            measured |= likeness
            expected = self._expected(case.name, plain)
            measured |= judges.judge(expected, resized(image, plain.shape[:2])) if expected else {}
        if found.ranking is not None and given.candidates:
            right = next((k for k, candidate in enumerate(given.candidates) if candidate is plain), -1)
            measured['named'] = float(right == found.ranking[0])
            luck['named'] = 1 / len(given.candidates)
        beside = floors(plain, case.encrypted, case.scheme.patch_size) | ({'chance': luck} if luck else {})
        return Measured({name: float(value) for name, value in measured.items() if np.isfinite(value)}, beside, image)

    def _places(self, case: Case, shuffle: ShufflePlan, found: Recovery) -> tuple[dict[str, float], dict[str, float]]:
        """Return the figures of the places that an attack found, and those of chance."""
        assert found.places is not None
        pieces = cut(np.ascontiguousarray(case.encrypted), shuffle.shape)
        same = classes(pieces) if shuffle.orientation is None else turned_classes(pieces)
        measured = Places.of_plan(found.places, found.turns, shuffle, same)
        if found.scores is not None:
            measured['top1'] = Retrieval.calculate(*found.scores, shuffle.permutation, shuffle.grid.shape, same)
        return measured, self._chance(case, shuffle, same)

    def _chance(self, case: Case, shuffle: ShufflePlan, same: np.ndarray) -> dict[str, float]:
        """Return chance: from 20 plans for all images of a size, from 5 for an image with equal pieces."""
        assert case.scheme.shuffle is not None
        alike = len(np.unique(same)) < same.size
        key = case.scheme, shuffle.plain_shape, self._digests.array(same) if alike else None
        if key not in self._chances:
            rounds = 5 if alike else 20
            self._chances[key] = chance(case.scheme.shuffle, shuffle, same, [self.seed, 20], rounds)
        return dict(self._chances[key])

    def _expected(self, name: str, plain: np.ndarray) -> dict[str, Any]:
        """Return what the judges find on the plain image of a name."""
        if name not in self._seen:
            self._seen[name] = judges.find(plain)
        return self._seen[name]


def _best_turn(
    plain: np.ndarray, image: np.ndarray, shuffle: ShufflePlan | None
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the picture that is most like the plain one, turned as a whole if pieces were turned, and its likeness."""
    codes = [0] if shuffle is None or shuffle.orientation is None else TURNS
    turned = [np.ascontiguousarray(turn_grid(as_uint8(image), code)) for code in codes]
    scores = [Likeness.calculate(plain, each) for each in turned]
    best = max(range(len(scores)), key=lambda k: scores[k]['ssim'])
    return turned[best], scores[best]


def lost(case: Case) -> dict[str, float]:
    """Return the share of the patches that were dropped, and of the shuffled pixels that are missing, gaps and all."""
    if case.plan is None or case.plan.shuffle is None:
        return {}
    plan = case.plan.shuffle
    kept, pixels = plan.permutation.size / np.prod(plan.grid.shape), np.prod(plan.encrypted_shape)
    return {'dropped': float(1 - kept), 'missing': float(max(0, 1 - pixels / np.prod(plan.plain_shape)))}
