"""Fragments that a detector found in a shuffled picture, and the plain patches that they come from. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..encryption import Plan
from ..encryption.turns import inverse, turn_boxes

_SIDES = np.array([[0.0, 0.4, 0.1, 0.6], [0.4, 0.0, 0.6, 0.1], [0.9, 0.4, 1.0, 0.6], [0.4, 0.9, 0.6, 1.0]])


@dataclass(frozen=True)
class Fragments:
    """What a detector found in one encrypted picture.

    Attributes:
        boxes: (n, 4) xyxy in pixels of the encrypted picture; a box may lie in several patches.
        class_scores: (n, C): how likely it is a fragment of an object of each class, in [0, 1].
        sides: (n, 4): how likely the object goes on beyond the left, top,
            right and bottom side of the patch; None: where the box comes near it.
        embeddings: (n, E): exp(-squared distance) is how likely two fragments
            are of one object; None: how much their classes agree.
    """

    boxes: np.ndarray
    class_scores: np.ndarray
    sides: np.ndarray | None = None
    embeddings: np.ndarray | None = None

    @classmethod
    def of_labels(cls, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, classes: int) -> Fragments:
        """Return the fragments of a detector that gives one class a box."""
        chances = np.zeros((len(labels), classes))
        chances[np.arange(len(labels)), labels] = scores
        return cls(np.asarray(boxes, np.float64).reshape(-1, 4), chances)


class Pieces(NamedTuple):
    """Fragments cut along the patches: plain boxes, boxes within the core as shares, cells, sides, and sources."""

    boxes: np.ndarray
    row: np.ndarray
    col: np.ndarray
    local: np.ndarray
    sides: np.ndarray
    source: np.ndarray


def cut_pieces(plan: Plan, found: Fragments, near: float) -> Pieces:
    """Cut boxes along the encrypted patches and bring each piece to its plain patch."""
    shuffle = plan.shuffle
    assert shuffle is not None
    (rows, cols), (ch, cw) = shuffle.shape, shuffle.core_size
    boxes = np.asarray(found.boxes, np.float64).reshape(-1, 4)
    x0, x1 = _spans(boxes[:, 0], boxes[:, 2], cols, cw)
    y0, y1 = _spans(boxes[:, 1], boxes[:, 3], rows, ch)
    source, row, col = np.nonzero((y0 < y1)[:, :, None] & (x0 < x1)[:, None])
    cut = np.stack([x0[source, col], y0[source, row], x1[source, col], y1[source, row]], axis=1)
    place = row * cols + col
    plain, _ = plan.restore_boxes(cut, np.arange(len(cut)))
    local = (cut - np.stack([col * cw, row * ch] * 2, axis=1)) / [cw, ch, cw, ch]
    turn = None if shuffle.orientation is None else inverse(shuffle.orientation[place])
    local = local if turn is None else turn_boxes(local, turn, 1, 1)
    sides = _near(local, near) if found.sides is None else np.asarray(found.sides, np.float64)[source]
    if turn is not None and found.sides is not None:
        sides = np.take_along_axis(sides, _turned_sides(turn), axis=1)
    row, col = np.divmod(shuffle.permutation[place], shuffle.grid.shape[1])
    return Pieces(plain, row, col, local, sides, source)


def _spans(low: np.ndarray, high: np.ndarray, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where intervals begin and end in each cell of a line, float64 (n, count) twice; empty if end <= begin."""
    start = np.arange(count) * size
    return np.maximum(low[:, None], start), np.minimum(high[:, None], start + size)


def _near(local: np.ndarray, near: float) -> np.ndarray:
    """Return (n, 4), 1 where a box comes near the left, top, right and bottom side of its patch."""
    return np.hstack([local[:, :2] <= near, local[:, 2:] >= 1 - near]).astype(np.float64)


def _turned_sides(turn: np.ndarray) -> np.ndarray:
    """Return int64 (n, 4): which side each side of a patch was before the turn."""
    turned = turn_boxes(np.tile(_SIDES, (len(turn), 1)), np.repeat(turn, 4), 1, 1).reshape(-1, 4, 4)
    now = np.abs(turned[:, :, None] - _SIDES).sum(-1).argmin(-1)  # (n, 4): where each side went
    return now.argsort(axis=1)
