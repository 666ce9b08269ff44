"""Cut boxes along a grid of cells, and join pieces again. NumPy only.

A piece is an interval of each axis, complex128 ``begin + 1j * end``: one NumPy
call then reads, moves or compares both ends. With few boxes the calls cost more
than the arithmetic.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

Pieces = tuple[np.ndarray, np.ndarray, np.ndarray]
"""complex128 (k,) along x, complex128 (k,) along y, and int64 (k,), the box that each piece belongs to."""


def cut(
    boxes: np.ndarray,
    shape: tuple[int, int],
    size: tuple[int, int],
    limits: tuple[int, int],
    gap: int = 0,
    order: np.ndarray | None = None,
) -> tuple[Pieces, np.ndarray]:
    """Return the parts of boxes in the cells of a grid, without each cell's margin.

    Args:
        boxes: (n, 4) xyxy; those without area or with NaN or infinity have no part.
        shape: (rows, columns) of the grid.
        size: (h, w) of a cell.
        limits: (h, w) within which a box counts.
        gap: width of the margin on each side of a cell.
        order: int64 (places,), the cells to look at, counted row by row; None
            takes all.

    Returns:
        Pieces within the cell less its margin, sorted by box, then by place in
        ``order``; and int64 (k,), the places.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    index = None
    if not (np.isfinite(boxes).all() and (boxes[:, :2] < boxes[:, 2:]).all()):
        index = np.flatnonzero(np.isfinite(boxes).all(axis=1) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1))
        boxes = boxes[index]
    ends, inside = _ends(boxes, *_lines(shape, size, limits), gap)
    rows, cols = shape
    parts = (inside[:, cols:, None] & inside[:, None, :cols]).reshape(len(boxes), rows * cols)
    if order is not None:
        parts = parts.take(order, axis=1)
    box, place = np.divmod(np.flatnonzero(parts), parts.shape[1])
    row, col = np.divmod(place if order is None else order.take(place), cols)
    first = box * (rows + cols)
    owner = box if index is None else index[box]
    return (ends.take(first + col), ends.take(first + (row + cols)), owner), place


@lru_cache(maxsize=16)
def _lines(
    shape: tuple[int, int], size: tuple[int, int], limits: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Index the columns and then the rows of a grid.

    Returns:
        int64 (columns + rows,), 0 for a column and 1 for a row; float64 (columns +
        rows, 1) and (columns + rows,), where each begins and its width; float64
        (2,), the limits along x and y.
    """
    axis = np.repeat([0, 1], shape[::-1])
    begin = np.concatenate([np.arange(n) * float(side) for n, side in zip(shape[::-1], size[::-1])])
    return axis, begin[:, None], np.array(size[::-1], float)[axis], np.array(limits[::-1], float)


def _ends(
    boxes: np.ndarray, axis: np.ndarray, begin: np.ndarray, width: np.ndarray, limit: np.ndarray, gap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut (n, 4) boxes by the lines of :func:`_lines`.

    Returns:
        complex128 (n * lines,), the part of each box in each line, and bool (n, lines), whether there is one.
    """
    ends = np.empty((len(boxes), len(axis), 2))
    low, high = ends[..., 0], ends[..., 1]
    low[...] = np.maximum(boxes[:, :2], 0).take(axis, axis=1)
    high[...] = np.minimum(boxes[:, 2:], limit).take(axis, axis=1)
    ends -= begin
    if gap:
        ends -= gap
        width = width - 2 * gap
    np.maximum(low, 0, out=low)
    np.minimum(high, width, out=high)
    return ends.view(np.complex128).ravel(), low < high


def moved(pieces: Pieces, places: np.ndarray, shape: tuple[int, int], size: tuple[int, int], gap: int = 0) -> Pieces:
    """Move pieces within cells to the frame of the image.

    Args:
        pieces: k of them.
        places: int64 (k,), the cell of each, counted row by row.
        shape: (rows, columns) of the cells.
        size: (h, w) of a cell.
        gap: width of the margin on each side of a cell.
    """
    x, y, owner = pieces
    across, down = _corners(shape, size, gap)
    return x + across.take(places), y + down.take(places), owner


@lru_cache(maxsize=16)
def _corners(shape: tuple[int, int], size: tuple[int, int], gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what :func:`moved` adds to pieces of each cell, complex128 (cells,) along x and y."""
    row, col = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    return (col * size[1] + gap) * (1 + 1j), (row * size[0] + gap) * (1 + 1j)


def join(pieces: Pieces) -> Pieces:
    """Join pieces of a box that share a whole side, side by side first, until none do.

    One pass along each axis is enough. If two columns of pieces could be joined
    after the second, so could the topmost piece of each, in the first.

    Args:
        pieces: sorted by owner, then by row and column of their cells, or by y0 and x0.

    Returns:
        Sorted by owner, then by x0, x1 and y0.
    """
    x, y, owner = _join(*pieces)
    # a stable sort: y0 stays in order, so that what continues a piece downwards comes right behind it
    by = np.lexsort((x.imag, x.real, owner))
    y, x, owner = _join(y.take(by), x.take(by), owner.take(by))
    return x, y, owner


def _join(along: np.ndarray, across: np.ndarray, owner: np.ndarray) -> Pieces:
    """Join each piece to the one behind it where they touch; the arguments are in the order of the result."""
    touch = along.imag[:-1] == along.real[1:]
    touch &= across[:-1] == across[1:]
    touch &= owner[:-1] == owner[1:]
    if not touch.any():
        return along, across, owner
    alone = np.ones(len(along) + 1, bool)
    np.logical_not(touch, out=alone[1:-1])
    first, last = alone[:-1].nonzero()[0], alone[1:].nonzero()[0]
    joined = along.take(first)
    joined.imag = along.imag.take(last)
    return joined, across.take(first), owner.take(first)


def as_boxes(pieces: Pieces) -> tuple[np.ndarray, np.ndarray]:
    """Return pieces as float64 (k, 4) xyxy, and their owners."""
    x, y, owner = pieces
    boxes = np.empty((len(x), 4))
    boxes[:, 0::2] = x.view(np.float64).reshape(-1, 2)
    boxes[:, 1::2] = y.view(np.float64).reshape(-1, 2)
    return boxes, owner
