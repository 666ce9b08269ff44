"""Measure what an attack recovered, with floors and ceilings beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...encryption import ShufflePlan
from ...encryption.turns import turn_grid
from ..base import Given, Recovery
from ..solver.pieces import as_uint8, classes
from .beside import Beside, Yardsticks
from .cases import Case
from .ceilings import bare_pieces, search, true_places
from .chance import chance
from .likeness import Likeness, floors
from .places import TURNS, Places, turned_classes
from .retrieval import Retrieval
from .store import Digests

Figures = dict[str, float]


@dataclass(frozen=True)
class Measured:
    """The figures of one recovery.

    Attributes:
        metrics: ``{metric: value}``, finite.
        floors: ``{floor: {metric: value}}``: what costs no attack.
        image: the recovered picture, turned as a whole if pieces were turned and that fits better.
        ceilings: ``{metric: value}`` of those in ``metrics``, with all pieces at
            their true places in the same rendering; empty if nothing was shuffled.
        true_image: that picture, (H, W, 3) uint8; None likewise.
        search: ``truth`` and ``found``, from :func:`.ceilings.search`; None without scores.
    """

    metrics: Mapping[str, float]
    floors: Mapping[str, Mapping[str, float]]
    image: np.ndarray | None
    ceilings: Mapping[str, float] = field(default_factory=dict)
    true_image: np.ndarray | None = None
    search: Mapping[str, float] | None = None


class Measures:
    """Measures recoveries; what several of them need is computed once.

    Args:
        seed: of the plans that chance is measured with.
        digests: to recognise equal sets of pieces.
        gallery: ``{name: (H, W[, C])}``, plain photos for photo retrieval.
    """

    def __init__(self, seed: int, digests: Digests, gallery: Mapping[str, np.ndarray] | None = None) -> None:
        self.seed, self._digests = seed, digests
        self._yardsticks = Yardsticks(gallery or {})
        self._chances: dict[tuple, Figures] = {}
        self._last: tuple[Case, dict[str, dict[str, float]]] | None = None

    def measure(self, case: Case, found: Recovery, given: Given) -> Measured:
        """Compare a recovery with the truth; without truth there are no figures."""
        plain, image = case.plain, found.image
        if plain is None:
            return Measured({}, {}, image)
        shuffle = case.plan.shuffle if case.plan else None
        beside = Beside(self._floors(case, plain))
        measured: Figures = {}
        luck: Figures = {}
        if found.places is not None and shuffle is not None:
            measured, luck, beside.ceilings = self._places(case, shuffle, found)
        if image is not None:
            image, likeness = _best_turn(plain, image, shuffle)
            measured |= likeness | self._yardsticks.figures(case, plain, image)
            beside = beside | self._yardsticks.beside(case, plain)
        if found.ranking is not None and given.candidates:
            right = next((k for k, candidate in enumerate(given.candidates) if candidate is plain), -1)
            measured['named'] = float(right == found.ranking[0])
            luck['named'] = 1 / len(given.candidates)
        beside = beside | Beside({'chance': luck} if luck else {})
        return Measured(
            _finite(measured),
            {name: _finite(values) for name, values in beside.floors.items()},
            image,
            {name: share for name, share in _finite(beside.ceilings).items() if name in measured},
            beside.true_image,
            _search(shuffle, found),
        )

    def _floors(self, case: Case, plain: np.ndarray) -> dict[str, dict[str, float]]:
        """Return the likeness of pictures that cost no attack; that of the last case is kept."""
        if self._last is None or self._last[0] is not case:
            self._last = case, floors(plain, case.encrypted, case.scheme.patch_size)
        return self._last[1]

    def _places(self, case: Case, shuffle: ShufflePlan, found: Recovery) -> tuple[Figures, Figures, Figures]:
        """Return the figures of the places that an attack found, those of chance, and those of the truth."""
        assert found.places is not None
        pieces = bare_pieces(case, shuffle)
        same = classes(pieces) if shuffle.orientation is None else turned_classes(pieces)
        measured = Places.of_plan(found.places, found.turns, shuffle, same)
        if found.scores is not None:
            measured['top1'] = Retrieval.calculate(*found.scores, shuffle.permutation, shuffle.grid.shape, same)
        return measured, self._chance(case, shuffle, same), Places.of_plan(*true_places(shuffle), shuffle, same)

    def _chance(self, case: Case, shuffle: ShufflePlan, same: np.ndarray) -> Figures:
        """Return chance: from 20 plans for all images of a size, from 5 for an image with equal pieces."""
        assert case.scheme.shuffle is not None
        alike = len(np.unique(same)) < same.size
        key = case.scheme, shuffle.plain_shape, self._digests.array(same) if alike else None
        if key not in self._chances:
            rounds = 5 if alike else 20
            self._chances[key] = chance(case.scheme.shuffle, shuffle, same, [self.seed, 20], rounds)
        return dict(self._chances[key])


def _search(shuffle: ShufflePlan | None, found: Recovery) -> Figures | None:
    if shuffle is None or shuffle.orientation is not None or found.places is None or found.scores is None:
        return None
    return search(shuffle, found.places, found.scores)


def _finite(figures: Mapping[str, float]) -> Figures:
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}


def _best_turn(
    plain: np.ndarray, image: np.ndarray, shuffle: ShufflePlan | None
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the picture that is most like the plain one, turned as a whole if pieces were turned, and its likeness."""
    codes = [0] if shuffle is None or shuffle.orientation is None else TURNS
    turned = [np.ascontiguousarray(turn_grid(as_uint8(image), code)) for code in codes]
    scores = [Likeness.calculate(plain, each) for each in turned]
    best = max(range(len(scores)), key=lambda k: scores[k]['ssim'])
    return turned[best], scores[best]
