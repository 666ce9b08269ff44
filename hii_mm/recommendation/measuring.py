"""What settings do to pictures, whatever attacks do: pixels lost, size of the copy, objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..attacks.evaluation.cases import Case
from ..images import encode
from .rule import Boxes, Measures

SMALLEST = 4  # pixels, of the side of a piece of an object that a detector could still learn from
Rows = Sequence[Mapping[str, Any]]


def measures(cases: Sequence[Case], whole: Mapping[str, int]) -> Measures:
    """Measure the cases of one setting.

    Args:
        cases: with plain pictures.
        whole: ``{name of a picture: number of its objects}``; empty without annotations.
    """
    plain = [case.plain for case in cases if case.plain is not None]
    hidden = [case.encrypted for case in cases]
    lost = 1 - sum(_pixels(image) for image in hidden) / sum(_pixels(image) for image in plain)
    size = sum(map(_bytes, hidden)) / sum(map(_bytes, plain))
    return Measures(max(0.0, lost), size, _boxes(cases, whole) if whole else None)


def objects_of(case: Case) -> dict[Any, float]:
    """Return ``{object: shorter side of its largest piece, in pixels}`` of an encrypted picture."""
    found: dict[Any, tuple[float, float]] = {}
    for number, row in enumerate(case.annotations):
        _, _, w, h = row['bbox']
        name = row.get('instance_id', number)
        found[name] = max(found.get(name, (0.0, 0.0)), (w * h, min(w, h)))
    return {name: side for name, (_, side) in found.items()}


def _boxes(cases: Sequence[Case], whole: Mapping[str, int]) -> Boxes | None:
    """Return what becomes of the objects; None without any."""
    sides = [side for case in cases for side in objects_of(case).values()]
    total = sum(Counter(whole)[case.name] for case in cases)
    if not total:
        return None
    small = sum(side < SMALLEST for side in sides) / len(sides) if sides else 0.0
    return Boxes(min(1.0, len(sides) / total), small)


def _pixels(image: np.ndarray) -> int:
    return image.shape[0] * image.shape[1]


def _bytes(image: np.ndarray) -> int:
    return len(encode(image, '.png'))
