"""Move boxes with shuffled patches. NumPy only.

Boxes are (n, 4) xyxy in pixels with continuous edges: (0, 0, w, h) is a whole
image of (h, w).
"""

from __future__ import annotations

import numpy as np

from . import turns
from .pieces import Pieces, as_boxes, cut, join, moved
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
    return as_boxes(join(_fragments(plan, boxes)))


def enclose_boxes(plan: ShufflePlan, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest box around the moved pieces of each box.

    Returns:
        float64 (m, 4) and int64 (m,), as :func:`fragment_boxes`; boxes without
        a surviving piece are left out.
    """
    return as_boxes(_enclose(_fragments(plan, boxes)))


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
    pieces, place = cut(boxes, plan.shape, plan.core_size, plan.encrypted_shape)
    x, y, source = _put_back(plan, pieces, place)
    return as_boxes(_enclose((x, y, np.asarray(ids)[source])))


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
    (x, y, source), place = cut(boxes, plan.shape, plan.core_size, plan.encrypted_shape)
    area = (x.imag - x.real) * (y.imag - y.real)
    largest = np.zeros(len(np.reshape(boxes, (-1, 4))))
    np.maximum.at(largest, source, area)
    kept = area >= largest[source] / 2
    x, y, source = _put_back(plan, (x[kept], y[kept], source[kept]), place[kept])
    by = np.lexsort((x.real, y.real, source))
    return as_boxes(join((x[by], y[by], source[by])))


def _fragments(plan: ShufflePlan, boxes: np.ndarray) -> Pieces:
    """Cut boxes (n, 4) along the patches; return their pieces in the encrypted image, sorted by box, then by place."""
    grid = plan.grid
    pieces, place = cut(boxes, grid.shape, grid.patch_size, grid.plain_shape, plan.gap, plan.permutation)
    if plan.orientation is not None:
        pieces = _turned(pieces, plan.orientation[place], *plan.core_size)
    return moved(pieces, place, plan.shape, plan.core_size)


def _put_back(plan: ShufflePlan, pieces: Pieces, place: np.ndarray) -> Pieces:
    """Return where pieces, each within the encrypted patch at its place, belong in the plain image."""
    if plan.orientation is not None:
        pieces = _turned(pieces, turns.inverse(plan.orientation[place]), *plan.core_size)
    return moved(pieces, plan.permutation[place], plan.grid.shape, plan.grid.patch_size, plan.gap)


def _turned(pieces: Pieces, codes: np.ndarray, height: int, width: int) -> Pieces:
    """Turn pieces, each within its own patch, see :func:`.turns.turn_boxes`."""
    local, owner = as_boxes(pieces)
    local = turns.turn_boxes(local, codes, height, width)
    return local[:, 0] + 1j * local[:, 2], local[:, 1] + 1j * local[:, 3], owner


def _enclose(pieces: Pieces) -> Pieces:
    """Return the smallest piece around all pieces of each owner, sorted by owner."""
    x, y, owner = pieces
    if not len(owner):
        return pieces
    by = owner.argsort(kind='stable')
    x, y, owner = x.take(by), y.take(by), owner.take(by)
    first = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    x, y = (np.minimum.reduceat(axis.real, first) + 1j * np.maximum.reduceat(axis.imag, first) for axis in (x, y))
    return x, y, owner.take(first)
