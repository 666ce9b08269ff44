"""Move boxes with shuffled patches. NumPy only.

Boxes are (n, 4) xyxy in pixels with continuous edges: (0, 0, w, h) is a whole
image of (h, w).
"""

from __future__ import annotations

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
    pieces = [_merge(_pieces(plan, box)) for box in np.asarray(boxes, np.float64).reshape(-1, 4)]
    source = np.repeat(np.arange(len(pieces)), [len(part) for part in pieces])
    return np.concatenate([*pieces, np.empty((0, 4))]), source


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
    found, owner = [np.empty((0, 4))], [np.empty(0, np.int64)]
    for box, label in zip(np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(ids)):
        local, place = _cells(box, plan.shape, (ch, cw), plan.encrypted_shape)
        if plan.orientation is not None:
            local = turns.turn_boxes(local, turns.inverse(plan.orientation[place]), ch, cw)
        row, col = np.divmod(plan.permutation[place], plan.grid.shape[1])
        found.append(local + gap + np.stack([col * pw, row * ph] * 2, axis=1))
        owner.append(np.full(len(local), label))
    return _enclose(np.concatenate(found), np.concatenate(owner))


def _enclose(boxes: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest box around all boxes of each owner, and the owners."""
    labels, index = np.unique(owner, return_inverse=True)
    around = np.empty((len(labels), 4))
    around[:, :2], around[:, 2:] = np.inf, -np.inf
    np.minimum.at(around[:, :2], index, boxes[:, :2])
    np.maximum.at(around[:, 2:], index, boxes[:, 2:])
    return around, labels


def _cells(
    box: np.ndarray, shape: tuple[int, int], size: tuple[int, int], limits: tuple[int, int], gap: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of a box in the cells of a grid, without each cell's margin.

    Args:
        box: (4,) xyxy.
        shape: (rows, columns) of the grid.
        size: (h, w) of a cell.
        limits: (h, w) within which the box counts.
        gap: width of the margin on each side of a cell.

    Returns:
        float64 (k, 4), within the cell less its margin, and int64 (k,), the
        cells counted row by row.
    """
    (h, w), (rows, cols) = size, shape
    if not (np.isfinite(box).all() and box[0] < box[2] and box[1] < box[3]):
        return np.empty((0, 4)), np.empty(0, np.int64)
    left, top = np.maximum(box[:2], 0)
    right, bottom = min(box[2], limits[1]), min(box[3], limits[0])
    row = np.arange(max(0, int(top // h)), min(rows, int(-(-bottom // h))))
    col = np.arange(max(0, int(left // w)), min(cols, int(-(-right // w))))
    x = np.stack([np.maximum(left - col * w - gap, 0), np.minimum(right - col * w - gap, w - 2 * gap)], axis=1)
    y = np.stack([np.maximum(top - row * h - gap, 0), np.minimum(bottom - row * h - gap, h - 2 * gap)], axis=1)
    row, y = row[y[:, 0] < y[:, 1]], y[y[:, 0] < y[:, 1]]
    col, x = col[x[:, 0] < x[:, 1]], x[x[:, 0] < x[:, 1]]
    i, j = (part.ravel() for part in np.indices((len(row), len(col))))
    return np.stack([x[j, 0], y[i, 0], x[j, 1], y[i, 1]], axis=1), row[i] * cols + col[j]


def _pieces(plan: ShufflePlan, box: np.ndarray) -> np.ndarray:
    """Return the surviving parts of a box, each at the place of its patch: float64 (k, 4)."""
    ch, cw = plan.core_size
    local, patch = _cells(box, plan.grid.shape, plan.grid.patch_size, plan.plain_shape, plan.gap)
    place = plan.places[patch]
    local, place = local[place >= 0], place[place >= 0]
    if plan.orientation is not None:
        local = turns.turn_boxes(local, plan.orientation[place], ch, cw)
    row, col = np.divmod(place, plan.shape[1])
    return local + np.stack([col * cw, row * ch] * 2, axis=1)


def _merge(boxes: np.ndarray) -> np.ndarray:
    """Join boxes that share a whole side, until none do; (k, 4) -> (l, 4)."""
    while True:
        before = len(boxes)
        for along, across in ((0, 1), (1, 0)):
            boxes = _join(boxes, along, across)
        if len(boxes) == before:
            return boxes


def _join(boxes: np.ndarray, along: int, across: int) -> np.ndarray:
    """Join runs of boxes that lie end to end along an axis (0 is x) and agree across it."""
    if len(boxes) < 2:
        return boxes
    boxes = boxes[np.lexsort((boxes[:, along], boxes[:, across + 2], boxes[:, across]))]
    sides = boxes[:, [across, across + 2]]
    touch = (boxes[:-1, along + 2] == boxes[1:, along]) & (sides[:-1] == sides[1:]).all(1)
    start = np.flatnonzero(np.concatenate([[True], ~touch]))
    joined = boxes[start]
    joined[:, along + 2] = boxes[np.append(start[1:], len(boxes)) - 1, along + 2]
    return joined
