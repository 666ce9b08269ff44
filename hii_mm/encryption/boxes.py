"""Move boxes with shuffled patches. NumPy only.

Boxes are (n, 4) xyxy in pixels with continuous edges: (0, 0, w, h) is a whole
image of (h, w).
"""

from __future__ import annotations

import itertools

import numpy as np

from . import turns
from .shuffle import ShufflePlan


def fragment_boxes(plan: ShufflePlan, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut boxes along the patch grid and move the pieces with their patches.

    Pieces of one box that end up edge to edge and form a rectangle are merged,
    side by side first. Whatever lies outside the image, in a gap or in a dropped
    patch is removed; so are boxes without area or with NaN.

    Args:
        plan: of the image.
        boxes: (n, 4) xyxy in the plain image, any float or integer dtype.

    Returns:
        float64 (m, 4) xyxy in the encrypted image, and int64 (m,), the row of
        ``boxes`` that each fragment comes from, ascending.
    """
    ch, cw = plan.core_size
    local, patch, source = _cells(boxes, plan.grid.shape, plan.grid.patch_size, plan.plain_shape, plan.gap)
    place = plan.places[patch]
    if (place < 0).any():
        local, place, source = local[place >= 0], place[place >= 0], source[place >= 0]
    if plan.orientation is not None:
        local = turns.turn_boxes(local, plan.orientation[place], ch, cw)
    row, col = np.divmod(place, plan.shape[1])
    return _merge(local + np.stack([col * cw, row * ch] * 2, axis=1), source, row, col, plan.shape)


def enclose_boxes(plan: ShufflePlan, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest box around the moved pieces of each box.

    Returns:
        float64 (m, 4) and int64 (m,), as :func:`fragment_boxes`; boxes without
        a surviving piece are left out.
    """
    moved, source = fragment_boxes(plan, boxes)
    return _enclose(moved, source)


def restore_boxes(plan: ShufflePlan, boxes: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undo :func:`fragment_boxes`: return the smallest plain box around the fragments of each object.

    Args:
        plan: the plan that moved them.
        boxes: (m, 4) xyxy in the encrypted image.
        ids: (m,) integers; fragments of one object share one.

    Returns:
        float64 (n, 4) xyxy in the plain image, and the n ids, ascending. Where
        nothing was dropped or cut off, these are the source boxes within the
        image.
    """
    (ch, cw), (ph, pw), gap = plan.core_size, plan.grid.patch_size, plan.gap
    local, place, source = _cells(boxes, plan.shape, (ch, cw), plan.encrypted_shape)
    if plan.orientation is not None:
        local = turns.turn_boxes(local, turns.inverse(plan.orientation[place]), ch, cw)
    row, col = np.divmod(plan.permutation[place], plan.grid.shape[1])
    return _enclose(local + gap + np.stack([col * pw, row * ph] * 2, axis=1), np.asarray(ids)[source])


def locate_boxes(plan: ShufflePlan, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where boxes of the encrypted image belong in the plain one, such as those that a detector found there.

    A box is cut along the encrypted patches. Slivers, less than half as large
    as its largest part, are left out: a detector is seldom exact to the pixel.

    Args:
        plan: of the image.
        boxes: (m, 4) xyxy in the encrypted image.

    Returns:
        float64 (n, 4) xyxy in the plain image, and int64 (n,), the row of
        ``boxes`` that each comes from, ascending; parts that touch are joined.
    """
    (ch, cw), (ph, pw), gap = plan.core_size, plan.grid.patch_size, plan.gap
    local, place, source = _cells(boxes, plan.shape, (ch, cw), plan.encrypted_shape)
    area = (local[:, 2] - local[:, 0]) * (local[:, 3] - local[:, 1])
    largest = np.zeros(len(np.reshape(boxes, (-1, 4))))
    np.maximum.at(largest, source, area)
    kept = area >= largest[source] / 2
    local, place, source = local[kept], place[kept], source[kept]
    if plan.orientation is not None:
        local = turns.turn_boxes(local, turns.inverse(plan.orientation[place]), ch, cw)
    row, col = np.divmod(plan.permutation[place], plan.grid.shape[1])
    return _merge(local + gap + np.stack([col * pw, row * ph] * 2, axis=1), source, row, col, plan.grid.shape)


def _enclose(boxes: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest box around all boxes of each owner, and the owners."""
    labels, index = np.unique(owner, return_inverse=True)
    around = np.empty((len(labels), 4))
    around[:, :2], around[:, 2:] = np.inf, -np.inf
    np.minimum.at(around[:, :2], index, boxes[:, :2])
    np.maximum.at(around[:, 2:], index, boxes[:, 2:])
    return around, labels


def _cells(
    boxes: np.ndarray, shape: tuple[int, int], size: tuple[int, int], limits: tuple[int, int], gap: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the parts of boxes in the cells of a grid, without each cell's margin.

    Args:
        boxes: (n, 4) xyxy.
        shape: (rows, columns) of the grid.
        size: (h, w) of a cell.
        limits: (h, w) within which a box counts.
        gap: width of the margin on each side of a cell.

    Returns:
        float64 (k, 4), within the cell less its margin; int64 (k,), the cells
        counted row by row; and int64 (k,), the row of ``boxes``. Sorted by
        box, then by cell.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
    index = np.flatnonzero(sound)
    left, top, right, bottom = boxes[index].T
    x0, x1 = _spans(left, right, shape[1], size[1], limits[1], gap)
    y0, y1 = _spans(top, bottom, shape[0], size[0], limits[0], gap)
    box, row, col = np.nonzero((y0 < y1)[:, :, None] & (x0 < x1)[:, None])
    local = np.stack([x0[box, col], y0[box, row], x1[box, col], y1[box, row]], axis=1)
    return local, row * shape[1] + col, index[box]


def _spans(
    low: np.ndarray, high: np.ndarray, count: int, size: int, limit: int, gap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return where intervals begin and end in each cell of a line, float64 (n, count) twice; empty if end <= begin."""
    start = np.arange(count) * size
    begin = np.maximum(np.maximum(low, 0)[:, None] - start - gap, 0)
    return begin, np.minimum(np.minimum(high, limit)[:, None] - start - gap, size - 2 * gap)


def _merge(
    boxes: np.ndarray, owner: np.ndarray, row: np.ndarray, col: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Join the boxes of each owner that share a whole side, until none do.

    Each box starts in a cell of its own, so sorting by cell puts the only box
    that may continue another one right behind it.

    Args:
        boxes: float64 (k, 4) xyxy.
        owner: int64 (k,).
        row: int64 (k,), of the cell in which each box starts.
        col: int64 (k,), likewise.
        shape: (rows, columns) of the cells.

    Returns:
        float64 (l, 4), and int64 (l,), the owners; sorted by owner, then by
        x0, x1 and y0.
    """
    for turn in itertools.count():
        along, across = turn % 2, 1 - turn % 2
        line, place = (col, row) if along else (row, col)
        order = ((owner * shape[along] + line) * shape[across] + place).argsort()
        boxes, owner, row, col = boxes[order], owner[order], row[order], col[order]
        a0, a1, b0, b1 = (np.ascontiguousarray(boxes[:, k]) for k in (along, along + 2, across, across + 2))
        touch = (a1[:-1] == a0[1:]) & (b0[:-1] == b0[1:]) & (b1[:-1] == b1[1:]) & (owner[:-1] == owner[1:])
        if touch.any():
            first = np.flatnonzero(np.concatenate([[True], ~touch]))
            last = np.append(first[1:], len(boxes)) - 1
            boxes, owner, row, col = boxes[first], owner[first], row[first], col[first]
            boxes[:, along + 2] = a1[last]
        elif turn:
            break
    order = (((owner * len(boxes) + _ranks(boxes[:, 0])) * len(boxes) + _ranks(boxes[:, 2])) * shape[0] + row).argsort()
    return boxes[order], owner[order]


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value among the different ones, int64."""
    return np.unique(values, return_inverse=True)[1]
