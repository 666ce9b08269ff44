"""Reassemble shuffled patches by the boxes and outlines beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...encryption import Scheme, ShuffleParams
from ..base import Given, Recovery, register
from ..solver.fragments import fragment_scores, layers
from ..solver.grids import place_shape
from ..solver.seams import SeamModel, posteriors
from .jigsaw import Jigsaw


@register
class Annotations(Jigsaw):
    """Reassemble RS by what a copy made with ``--ann`` tells: fragments of an object that go on in the next piece.

    Scores of boxes and outlines are added to those of the jigsaw's pixels,
    and go to the same assembler.

    Args:
        effort: as of the jigsaw.
        pixels: look at the pixels, too.
    """

    name = 'annotations'
    source = 'docs/threat_model.md: boxes and outlines; assembly as jigsaw'
    cost = 'as jigsaw'
    needs = ('annotations',)
    beside = 'jigsaw'
    pixels = True

    def __init__(self, effort: float = 1.0, pixels: bool | None = None) -> None:
        super().__init__(effort)
        self.pixels = self.pixels if pixels is None else pixels

    def seams_of(self, scheme: Scheme, given: Given) -> SeamModel:
        """Return the model of the scheme's seams; an empty one if pixels are not looked at."""
        return super().seams_of(scheme, given) if self.pixels else SeamModel(scheme.core_size, 0, ())

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        self._rows: Sequence[Mapping[str, Any]] = given.annotations
        self._frame = (image.shape[0], image.shape[1]), place_shape(scheme, image.shape)
        return super()._recover(image, scheme, given)

    def scores(self, pieces: np.ndarray, shuffle: ShuffleParams, codes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return posteriors of fragments and, with ``pixels``, of the jigsaw together: float32 (N, N) twice."""
        items = len(pieces) * len(codes)
        known = super().scores(pieces, shuffle, codes) if self.pixels else (np.zeros((items, items), np.float32),) * 2
        same = np.arange(items) // len(codes)
        banned = np.nonzero(same[:, None] == same)
        found = []
        for upright, score in zip((False, True), known):
            turns = [transposed_code(code) for code in codes] if upright else codes
            drawn = layers(self._rows, *self._frame, turns, upright)
            found.append(posteriors(score / 2 + fragment_scores(drawn, items, shuffle.gap), banned))
        return found[0], found[1]


def transposed_code(code: int) -> int:
    """Return the code that does to a transposed piece what ``code`` does to the piece."""
    return {0: 0, 1: 3, 2: 2, 3: 1, 4: 6, 5: 5, 6: 4, 7: 7}[code]
