"""Lay joined parts of a picture out on its grid. NumPy only."""

from __future__ import annotations

import heapq

import numpy as np

Part = tuple[np.ndarray, tuple['Part', 'Part'] | None]  # items, and the two parts that were joined to it


def parts_of(count: int, joints: np.ndarray) -> list[Part]:
    """Return the parts that joining ended with, each with those that it was joined from.

    Args:
        count: number of items.
        joints: int (M, 2), from :func:`.joining.join`.
    """
    parts: dict[int, Part] = {item: (np.array([item]), None) for item in range(count)}
    for large, small in joints.tolist():
        one, two = parts[large], parts.pop(small)
        parts[large] = np.concatenate([one[0], two[0]]), (one, two)
    return list(parts.values())


def pack(
    rows: np.ndarray, cols: np.ndarray, joints: np.ndarray, worth: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Lay parts on a grid, large ones first, each where its new seams are worth most.

    A part that fits nowhere is taken apart again at its last joint, which was
    worth least.

    Args:
        rows: int (N,), the row of each item, relative to the other items of the part.
        cols: the same for columns.
        joints: int (M, 2), how parts were joined.
        worth: float32 (2, N, N), what item j right of (0) or below (1) item i is worth.
        shape: (rows, columns) of the grid, with at least N places.

    Returns:
        int64 ``shape``, the item at each place, -1 for none; each item once.
    """
    ready: list[tuple[int, int, Part]] = []
    grid, number = np.full(shape, -1), 0
    fresh = parts_of(len(rows), joints)
    while fresh or ready:
        for part in fresh:
            heapq.heappush(ready, (-len(part[0]), number, part))
            number += 1
        items, fresh = ready[0][2][0], []
        y, x = rows[items] - rows[items].min(), cols[items] - cols[items].min()
        _, _, (items, joined) = heapq.heappop(ready)
        if not _lay(grid, items, y, x, worth):
            assert joined is not None  # a single item fits into any free place
            fresh = list(joined)
    return grid


def _lay(grid: np.ndarray, items: np.ndarray, y: np.ndarray, x: np.ndarray, worth: np.ndarray) -> bool:
    """Lay a part at its best place; return False if it fits nowhere."""
    down, right = (np.arange(length) for length in np.array(grid.shape) - (y.max(), x.max()))
    if not down.size or not right.size:
        return False
    at = np.add.outer(y, down)[:, :, None], np.add.outer(x, right)[:, None, :]  # (items, downs, rights)
    table = np.where(grid < 0, _worths(grid, worth, items), -np.inf)
    total = table[np.arange(len(items))[:, None, None], at[0], at[1]].sum(axis=0)
    best = np.unravel_index(total.argmax(), total.shape)
    if not np.isfinite(total[best]):
        return False
    grid[y + best[0], x + best[1]] = items
    return True


def _worths(grid: np.ndarray, worth: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return what the seams of each item at each place are worth: float32 (items, rows, columns)."""
    out = np.zeros((len(items), *grid.shape), np.float32)
    for axis, (one, two) in enumerate(((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1, :], np.s_[1:, :]))):
        a, b = grid[one], grid[two]
        out[(slice(None), *two)] += np.where(a >= 0, worth[axis][a][..., items].transpose(2, 0, 1), 0)
        out[(slice(None), *one)] += np.where(b >= 0, worth[axis][items][:, b], 0)
    return out
