"""Figures of pictures, and those of the pictures that stand beside a recovered one: no attack, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..solver.pieces import as_uint8, resized
from . import judge_faces, judges
from .cases import Case
from .ceilings import true_picture
from .gallery import Choice, Gallery, PhotoRetrieval
from .likeness import Likeness

Figures = dict[str, float]
ENCRYPTED, CHANCE, OTHERS = 'encrypted', 'chance', 'other faces'  # floors


@dataclass
class Beside:
    """Floors and ceilings of one case.

    Attributes:
        floors: ``{floor: {metric: value}}``.
        ceilings: ``{metric: value}`` with all pieces at their true places.
        true_image: that picture, (H, W, 3) uint8; None if nothing was shuffled.
    """

    floors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    true_image: np.ndarray | None = None

    def __or__(self, other: Beside) -> Beside:
        """Return both together; where both have a figure, that of ``other`` counts."""
        floors = {name: {**self.floors.get(name, {}), **other.floors.get(name, {})} for name in self._names(other)}
        image = self.true_image if other.true_image is None else other.true_image
        return Beside(floors, {**self.ceilings, **other.ceilings}, image)

    def _names(self, other: Beside) -> list[str]:
        return list(dict.fromkeys([*self.floors, *other.floors]))


@dataclass(frozen=True)
class Known:
    """What is known of a plain picture: what the judges find on it, and the photographs to choose from."""

    expected: Mapping[str, Any]
    choice: Choice | None


class Yardsticks:
    """Judges and photo retrieval; what belongs to a plain picture or to a case is computed once.

    Args:
        gallery: ``{name: (H, W[, C])}``, plain photos.
    """

    def __init__(self, gallery: Mapping[str, np.ndarray]) -> None:
        self._photos, self._gallery = gallery, Gallery(gallery)
        self._known: dict[str, tuple[np.ndarray, Known]] = {}
        self._last: tuple[Case, Beside] | None = None
        self._people: dict[str, list[judge_faces.Face]] = {}
        self._seen: tuple[np.ndarray | None, dict[bytes, Figures]] = None, {}

    def figures(self, case: Case, plain: np.ndarray, image: np.ndarray) -> Figures:
        """Return what the judges and photo retrieval say of a picture of a case, (h, w[, C]); equal ones once."""
        known, image = self._of(case.name, plain), resized(image, plain.shape[:2])
        if self._seen[0] is not plain:
            self._seen = plain, {}
        pixels = image.tobytes()
        if pixels not in self._seen[1]:
            measured = judges.judge(known.expected, image)
            measured |= PhotoRetrieval.calculate(known.choice, image) if known.choice else {}
            self._seen[1][pixels] = measured
        return dict(self._seen[1][pixels])

    def beside(self, case: Case, plain: np.ndarray) -> Beside:
        """Return the floors and ceilings of a case; those of the last case are kept."""
        if self._last is None or self._last[0] is not case:
            self._last = case, self._beside(case, plain)
        return self._last[1]

    def _beside(self, case: Case, plain: np.ndarray) -> Beside:
        floors, known = {ENCRYPTED: self.figures(case, plain, case.encrypted)}, self._of(case.name, plain)
        if known.choice:
            floors[CHANCE] = PhotoRetrieval.chance(known.choice)
        if judges.PEOPLE in known.expected:
            others = judge_faces.mistaken(known.expected[judges.PEOPLE], self._others(case.name, plain))
            floors[OTHERS] = {judges.PEOPLE: others}
        image = true_picture(case)
        if image is None:
            return Beside(floors)
        return Beside(floors, Likeness.calculate(plain, image) | self.figures(case, plain, image), image)

    def _of(self, name: str, plain: np.ndarray) -> Known:
        """Return what is known of a plain picture."""
        if name not in self._known or self._known[name][0] is not plain:
            known = Known(judges.find(as_uint8(plain)), self._gallery.choice(name, plain))
            self._known[name] = plain, known
        return self._known[name][1]

    def _others(self, name: str, plain: np.ndarray) -> list[judge_faces.Face]:
        """Return the faces on the other photographs of the gallery."""
        found = []
        for other in self._gallery.others(name, plain):
            if other not in self._people:
                self._people[other] = judge_faces.people(self._photos[other])
            found += self._people[other]
        return found
