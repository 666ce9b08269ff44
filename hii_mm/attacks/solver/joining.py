"""Join pieces into parts of the picture, by the best link of any two parts, compiled by numba.

Where pieces were dropped, the kept ones form many parts with nothing known
between them; growth from one item lays false neighbours as soon as its own
part is complete. Here every piece starts as a part of its own, and two parts
are joined where all their new seams together are worth most, if they do not
overlap and fit into the grid: the constrained tree assembly of Gallagher
("Jigsaw puzzles with pieces of unknown orientation", CVPR 2012), with all new
seams in place of one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .packing import pack

TRIED = 8  # links of each item on each side


def joined(worth: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Join items to parts, and lay these out: int64 ``shape``, the item at each place, -1 for none.

    Args:
        worth: float32 (2, N, N), what item j right of (0) or below (1) item i is worth; at most 0 for an item itself.
        shape: (rows, columns) of the grid, with at least N places.
    """
    rows, cols, joints = join(links(worth), worth, shape)
    return pack(rows, cols, joints, worth, shape)


def links(worth: np.ndarray) -> np.ndarray:
    """Return the links that gain and are among the best of one of their items: int64 (L, 3), for :func:`join`."""
    few = min(TRIED, worth.shape[1])
    best = np.zeros(worth.shape, bool)
    for axis in (1, 2):
        np.put_along_axis(best, np.argpartition(-worth, few - 1, axis=axis).take(range(few), axis=axis), True, axis)
    axes, one, two = np.nonzero(best & (worth > 0))
    return np.stack([one, two, axes], axis=1)


@njit(cache=True)
def join(links, worth, shape):  # type: ignore[no-untyped-def]
    """Join parts, best first, as long as a link gains.

    Args:
        links: int64 (L, 3), (item, item beside it, axis) of the links that are tried; axis 0 is right, 1 down.
        worth: float32 (2, N, N), what item j right of (0) or below (1) item i is worth.
        shape: (rows, columns) of the grid.

    Returns:
        (rows, columns, joints): int64 (N,) twice, the place of each item relative to those of the same part, and
        int64 (M, 2), the numbers of the parts that were joined, in order; the second one becomes part of the first
        one. Item k starts as part k.
    """
    count = worth.shape[1]
    part = np.arange(count)
    sheet = np.full((count, 2 * shape[0] - 1, 2 * shape[1] - 1), -1, np.int32)
    rows, cols = np.full(count, shape[0] - 1), np.full(count, shape[1] - 1)
    for item in range(count):
        sheet[item, rows[item], cols[item]] = item
    size = np.ones(count, np.int64)
    gains = np.empty(len(links), np.float32)
    stale = np.ones(count, np.bool_)
    joints = np.empty((count, 2), np.int64)
    for done in range(count):
        best = -1
        for k in range(len(links)):
            a, b = part[links[k, 0]], part[links[k, 1]]
            if stale[a] or stale[b]:
                gains[k] = _gain(links[k], worth, shape, part, sheet, rows, cols, size)
            if gains[k] > 0 and (best < 0 or gains[k] > gains[best]):
                best = k
        if best < 0:
            return rows, cols, joints[:done]
        stale[:] = False
        joints[done] = _merge(links[best], part, sheet, rows, cols, size)
        stale[joints[done, 0]] = True
    return rows, cols, joints


@njit(cache=True)
def _offset(link, part, rows, cols, size):  # type: ignore[no-untyped-def]
    """Return (larger part, smaller part, (down, right) from the smaller one's places to the larger one's)."""
    one, two, axis = link
    down = rows[one] + axis - rows[two]
    right = cols[one] + 1 - axis - cols[two]
    if size[part[one]] >= size[part[two]]:
        return part[one], part[two], down, right
    return part[two], part[one], -down, -right


@njit(cache=True)
def _gain(link, worth, shape, part, sheet, rows, cols, size):  # type: ignore[no-untyped-def]
    """Return what all seams between two parts are worth, laid as a link says; 0 if they do not fit together."""
    if part[link[0]] == part[link[1]]:
        return 0.0
    large, small, down, right = _offset(link, part, rows, cols, size)
    if not _fits(large, small, down, right, shape, part, rows, cols):
        return 0.0
    total, seen = 0.0, 0
    height, width = sheet.shape[1:]
    for item in range(len(part)):
        if part[item] != small:
            continue
        y, x = rows[item] + down, cols[item] + right
        if 0 <= y < height and 0 <= x < width and sheet[large, y, x] >= 0:
            return 0.0
        for side in range(4):
            r, c = y + (side == 1) - (side == 3), x + (side == 0) - (side == 2)
            if not (0 <= r < height and 0 <= c < width):
                continue
            beside = sheet[large, r, c]
            if beside >= 0:
                first, second = (item, beside) if side < 2 else (beside, item)
                total += worth[side % 2, first, second]
        seen += 1
        if seen == size[small]:
            break
    return total


@njit(cache=True)
def _fits(large, small, down, right, shape, part, rows, cols):  # type: ignore[no-untyped-def]
    """Return whether two parts together are no larger than the grid."""
    top, left, bottom, end = 1 << 30, 1 << 30, -(1 << 30), -(1 << 30)
    for item in range(len(part)):
        if part[item] == large:
            y, x = rows[item], cols[item]
        elif part[item] == small:
            y, x = rows[item] + down, cols[item] + right
        else:
            continue
        top, bottom, left, end = min(top, y), max(bottom, y), min(left, x), max(end, x)
    return bottom - top < shape[0] and end - left < shape[1]


@njit(cache=True)
def _merge(link, part, sheet, rows, cols, size):  # type: ignore[no-untyped-def]
    """Lay the smaller part beside the larger one; return the numbers of both."""
    large, small, down, right = _offset(link, part, rows, cols, size)
    size[large] += size[small]
    for item in range(len(part)):
        if part[item] == small:
            part[item] = large
            rows[item] += down
            cols[item] += right
            sheet[large, rows[item], cols[item]] = item
    return large, small
