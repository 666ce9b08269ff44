"""Put the fragments that a detector found in a shuffled picture together to objects, with the plan. NumPy only.

Each fragment goes back to the patch it came from. Fragments of neighbouring
patches are joined where both go on across the side between them, where they lie
at the same height along it, and where they are likely of one object. Connected
fragments are one object; its box is the smallest around them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..encryption import Plan
from ..errors import InvalidValueError
from .fragments import Fragments, Pieces, cut_pieces

RIGHT, BOTTOM = 2, 3  # columns of sides
THRESHOLD = 0.3  # of affinities; this and LONE were chosen on training pictures of FashionDet
LONE = 0.5  # most stray fragments stay alone: so much of the score of a part of one fragment is taken off
NEAR = 0.15  # share of a patch within which a box counts as going on, where the detector does not say so


class Objects(NamedTuple):
    """Objects in the plain picture, the likeliest first.

    Attributes:
        boxes: float64 (k, 4) xyxy in pixels of the plain picture.
        scores: float64 (k,).
        labels: int64 (k,).
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def join(plan: Plan, found: Fragments, threshold: float = THRESHOLD, near: float = NEAR, classes: int = 1) -> Objects:
    """Put fragments together.

    Args:
        plan: of the picture, shuffled.
        found: its fragments.
        threshold: of the affinity of two fragments, in (0, 1], from which on they are joined.
        near: share of a patch within which a box counts as going on, in [0, 0.5), where ``found.sides`` is None.
        classes: answer with this many classes for each connected part, the
            likeliest first; more than one raises AP where classes are in doubt.

    Returns:
        The connected parts. The score for a class is the mean of those of the
        fragments, weighted by area, times ``1 - LONE ** n`` for n fragments.

    Raises:
        InvalidValueError: a plan that does not shuffle, or values that are not accepted.
    """
    if plan.shuffle is None:
        raise InvalidValueError('fragments are put together in shuffled pictures only; this plan does not shuffle')
    if not 0 < threshold <= 1:
        raise InvalidValueError(f'threshold must be in (0, 1], got {threshold!r}')
    if not 0 <= near < 0.5:
        raise InvalidValueError(f'near must be in [0, 0.5), got {near!r}')
    pieces = cut_pieces(plan, found, near)
    part = np.arange(len(pieces.boxes))
    for strength, one, two in sorted(_affinities(pieces, found), reverse=True):
        if strength < threshold:
            break
        part[part == part[two]] = part[one]
    return _objects(pieces, found, part, classes)


def _affinities(pieces: Pieces, found: Fragments) -> Iterator[tuple[float, int, int]]:
    """Yield (affinity, piece, piece) of all pieces in neighbouring patches that may belong together."""
    at: dict[tuple[int, int], list[int]] = {}
    for piece, cell in enumerate(zip(pieces.row.tolist(), pieces.col.tolist())):
        at.setdefault(cell, []).append(piece)
    for (row, col), here in at.items():
        for beside, side, low, high in (((row, col + 1), RIGHT, 1, 3), ((row + 1, col), BOTTOM, 0, 2)):
            for one in here:
                for two in at.get(beside, ()):
                    go_on = (pieces.sides[one, side] * pieces.sides[two, side - 2]) ** 0.5
                    a, b = pieces.local[one], pieces.local[two]
                    both = min(a[high], b[high]) - max(a[low], b[low])
                    if both > 0 and go_on > 0:
                        level = both / (max(a[high], b[high]) - min(a[low], b[low]))
                        alike = _alike(found, pieces.source[one], pieces.source[two])
                        yield float(go_on * level * alike), one, two


def _alike(found: Fragments, one: int, two: int) -> float:
    """Return how likely two fragments are of one object, by what they look like."""
    if found.embeddings is not None:
        return float(np.exp(-np.square(found.embeddings[one] - found.embeddings[two]).sum()))
    a, b = found.class_scores[one], found.class_scores[two]
    return float(np.sqrt(a * b).sum() / np.sqrt(a.sum() * b.sum()))


def _objects(pieces: Pieces, found: Fragments, part: np.ndarray, classes: int) -> Objects:
    """Return the objects of each part, the likeliest first."""
    names, index = np.unique(part, return_inverse=True)
    boxes = np.full((len(names), 4), [np.inf, np.inf, -np.inf, -np.inf])
    np.minimum.at(boxes[:, :2], index, pieces.boxes[:, :2])
    np.maximum.at(boxes[:, 2:], index, pieces.boxes[:, 2:])
    area = np.prod(pieces.boxes[:, 2:] - pieces.boxes[:, :2], axis=1)
    chances = np.zeros((len(names), found.class_scores.shape[1]))
    np.add.at(chances, index, area[:, None] * found.class_scores[pieces.source])
    weight = (1 - LONE ** np.bincount(index, minlength=len(names))) / np.bincount(index, area, len(names))
    chances *= weight[:, None]
    labels = np.argsort(-chances, axis=1, kind='stable')[:, :classes]
    scores = np.take_along_axis(chances, labels, axis=1).ravel()
    order = np.argsort(-scores, kind='stable')
    return Objects(boxes.repeat(labels.shape[1], axis=0)[order], scores[order], labels.ravel()[order])
