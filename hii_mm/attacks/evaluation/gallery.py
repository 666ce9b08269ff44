"""Photo retrieval: does a recovered picture tell which of many photographs it shows?

A recovered picture is compared with the plain photo and up to 199 others. It
picks the one whose description is most like its own; ties count as a share.
Two descriptions:

- ``photo_layout``: mean colours of 14 x 14 cells, centred and normalised; two
  pictures are as like as their correlation, for the best shift by up to two
  cells in both directions. NumPy and Pillow alone.
- ``photo``: features of EfficientNet-Lite0, less their mean over the
  photographs, by cosine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from . import judge_classes, judges
from .colours import layout, layout_likeness, unit

SIZE = 200  # photographs to choose from
COPY = 0.9  # correlation of the layouts from which on two photographs are copies of one
LAYOUT, PHOTO = 'photo_layout', judges.PHOTO


class Choice(NamedTuple):
    """The photographs that a recovered picture of one plain photo chooses from.

    Attributes:
        layouts: float32 (n, 14, 14, 3), the plain photo first.
        features: float32 (n, 1280), likewise; or None.
    """

    layouts: np.ndarray
    features: np.ndarray | None


class Gallery:
    """Plain photographs that recovered pictures are compared with; each is described once.

    Args:
        photos: ``{name: (H, W[, C])}``.
        size: photographs to choose from at most, the plain one counted.
    """

    def __init__(self, photos: Mapping[str, np.ndarray], size: int = SIZE) -> None:
        self._photos, self._size = photos, size
        self._layouts: dict[str, np.ndarray] = {}
        self._features: dict[str, np.ndarray] = {}

    def others(self, name: str, plain: np.ndarray) -> list[str]:
        """Return the names of the other photographs for a plain one, in the gallery's order.

        Left out are the photo of the same name and near copies: those whose
        colour layouts correlate by .9 or more for the best shift.
        """
        names = [other for other in self._photos if other != name]
        if not names:
            return []
        alike = layout_likeness(layout(plain), np.stack([self._layout(other) for other in names]))
        return [other for other, value in zip(names, alike) if value < COPY][: self._size - 1]

    def choice(self, name: str, plain: np.ndarray) -> Choice | None:
        """Return what recovered pictures of a plain photo choose from; None without other photographs."""
        others = self.others(name, plain)
        if not others:
            return None
        layouts = np.stack([layout(plain), *map(self._layout, others)])
        if judges.available()[PHOTO] is not None or min(plain.shape[:2]) < judges.LEAST:
            return Choice(layouts, None)
        return Choice(layouts, np.stack([judge_classes.features(plain), *map(self._feature, others)]))

    def _layout(self, name: str) -> np.ndarray:
        if name not in self._layouts:
            self._layouts[name] = layout(self._photos[name])
        return self._layouts[name]

    def _feature(self, name: str) -> np.ndarray:
        if name not in self._features:
            self._features[name] = judge_classes.features(self._photos[name])
        return self._features[name]


class PhotoRetrieval:
    """Whether a picture picks its plain photo."""

    @staticmethod
    def calculate(choice: Choice, found: np.ndarray) -> dict[str, float]:
        """Return ``photo_layout``, and ``photo`` where there are features: 1 if the plain photo is first, else 0.

        Args:
            choice: from :meth:`Gallery.choice`.
            found: (H, W[, C]), the recovered picture.
        """
        return {name: first(alike) for name, alike in PhotoRetrieval.likeness(choice, found).items()}

    @staticmethod
    def likeness(choice: Choice, found: np.ndarray) -> dict[str, np.ndarray]:
        """Return how like a picture is to each photograph, float32 (n,) in [-1, 1], by each description."""
        alike = {LAYOUT: layout_likeness(layout(found), choice.layouts)}
        if choice.features is not None:
            mean = choice.features.mean(axis=0)
            alike[PHOTO] = unit(choice.features - mean) @ unit(judge_classes.features(found) - mean)
        return alike

    @staticmethod
    def chance(choice: Choice) -> dict[str, float]:
        """Return one over the number of photographs, for each description."""
        share = 1 / len(choice.layouts)
        return {LAYOUT: share} | ({} if choice.features is None else {PHOTO: share})


def first(likeness: np.ndarray) -> float:
    """Return 1 if the first value is the largest, 0 if it is not, and one over the number of ties between."""
    return float(likeness[0] >= likeness.max()) / int((likeness == likeness.max()).sum())
