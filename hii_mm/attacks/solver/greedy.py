"""Assemble a picture greedily: growth from certain places, and a polish. NumPy and SciPy.

Growth from the most certain place follows Pomeranz et al. (CVPR 2011) and
Paikin and Tal (CVPR 2015); the assignment of every other place at once is the
Hungarian polish of the jigsaw literature.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

from .growth import SIDES, Growth, Tables

WORST = -12.0  # a seam counts no worse than this in the polish
POLISHED = 1024  # places at most


class Greedy:
    """Grow pictures under one pair of scores.

    Args:
        right: float32 (N, N) log-posteriors that item j is right of item i; -inf where that is impossible.
        down: the same for item j below item i.
        shape: (rows, columns) of the plain grid.
        twins: number of items of each piece.
        seed: of the items that growth starts from.
    """

    def __init__(
        self, right: np.ndarray, down: np.ndarray, shape: tuple[int, int], twins: int = 1, seed: int = 0
    ) -> None:
        tables = (right, down, right.T, down.T)
        self.fit: Tables = dict(zip(SIDES, (np.ascontiguousarray(t, np.float32) for t in tables)))
        self.shape, self.twins, self.pieces = shape, twins, len(right) // twins
        self.full = self.pieces == shape[0] * shape[1]
        self.rng = np.random.default_rng(seed)

    def best(self, worth: Callable[[np.ndarray], float], starts: int = 8) -> np.ndarray:
        """Grow from some items; return the grid that is worth most: int64 ``shape``, -1 for none."""
        grids = [self.polish(self.grow(item)) for item in self._starts(starts)]
        return max(grids, key=worth)

    def grow(self, item: int) -> np.ndarray:
        """Place items one by one, always where the next one is most certain; int64 ``shape``."""
        return self._grown([((self.shape[0], self.shape[1]), item)])

    def grow_from(self, grid: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Place all items but those of a grid that are kept, bool as ``grid``, one by one; int64 ``shape``."""
        rows, cols = np.nonzero(kept & (grid >= 0))
        # on a canvas of 2 * shape - 1 places, from 1 on: in the middle
        down, right = (n - (int(at.min()) + int(at.max())) // 2 for n, at in zip(self.shape, (rows, cols)))
        places = [((int(r) + down, int(c) + right), int(grid[r, c])) for r, c in zip(rows, cols)]
        return self._grown(places)

    def _grown(self, laid: list[tuple[tuple[int, int], int]]) -> np.ndarray:
        growth = Growth(self.fit, self.shape, self.twins, self.pieces, self.full)
        for place, item in laid:
            growth.put(place, item)
        while growth.step():
            pass
        return growth.grid()

    def polish(self, grid: np.ndarray, rounds: int = 3) -> np.ndarray:
        """Assign all places of one colour of a checkerboard at once, in turn, while it helps."""
        if not self.full or (grid < 0).any() or grid.size > POLISHED:
            return grid
        colour = np.add.outer(np.arange(grid.shape[0]), np.arange(grid.shape[1])) % 2
        for _ in range(rounds):
            before = grid
            for part in (0, 1):
                r, c = np.nonzero(colour == part)
                items = grid[r, c]
                a, b = linear_sum_assignment(-self._gain(grid, r, c, items))
                grid = grid.copy()
                grid[r[a], c[a]] = items[b]
            if (grid == before).all():
                break
        return grid

    def _starts(self, count: int) -> list[int]:
        """Return items with certain neighbours: the most certain one, and others at random."""
        sure = np.sum([np.maximum(table.max(axis=1), -6) for table in self.fit.values()], axis=0)
        order = np.argsort(-sure)[: max(2, len(sure) // 2)]
        rest = self.rng.permutation(order[1:])[: count - 1]
        return [int(order[0]), *map(int, rest)]

    def _gain(self, grid: np.ndarray, r: np.ndarray, c: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return float32 (places, items): how well each item fits the neighbours of each place (r, c)."""
        gain = np.zeros((len(r), len(r)), np.float32)
        for side in SIDES:
            y, x = r + side[0], c + side[1]
            inside = (y >= 0) & (y < grid.shape[0]) & (x >= 0) & (x < grid.shape[1])
            beside = grid[y[inside], x[inside]]
            gain[inside] += np.maximum(self.fit[-side[0], -side[1]][beside][:, items], WORST)
        return gain
