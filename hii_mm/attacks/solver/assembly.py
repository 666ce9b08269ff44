"""Assemble a picture from fitting scores: greedy growth, polish, and growing again. NumPy and SciPy.

Growth from the most certain place and re-growing from the largest consistent
segment follow Pomeranz et al. (CVPR 2011) and Paikin and Tal (CVPR 2015); the
assignment of every other place at once is the Hungarian polish of the jigsaw
literature. Items are pieces, or (piece, turn) pairs where pieces were turned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .growth import NONE, SIDES, Growth, Side, Tables

WORST = -12.0  # a seam counts no worse than this
_SLICES: tuple[tuple[Any, Any], ...] = ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))


class Assembler:
    """Lay items on a grid so that neighbours fit.

    Args:
        right: float32 (N, N) log-posteriors that item j is right of item i; -inf where that is impossible.
        down: the same for item j below item i.
        shape: (rows, columns) of the plain grid.
        twins: number of items (turns) of each piece; item k belongs to piece k // twins.
        effort: about how many times to try again.
        seed: of the random tries.
    """

    def __init__(
        self,
        right: np.ndarray,
        down: np.ndarray,
        shape: tuple[int, int],
        twins: int = 1,
        effort: int = 60,
        seed: int = 0,
    ) -> None:
        tables = (right, down, right.T, down.T)
        self.fit: Tables = dict(zip(SIDES, (np.ascontiguousarray(t, np.float32) for t in tables)))
        self.best = {side: table.argmax(axis=1) for side, table in self.fit.items()}
        self.shape, self.twins, self.effort = (shape[0], shape[1]), twins, effort
        self.pieces = len(right) // twins
        self.full = self.pieces == shape[0] * shape[1]
        self.rng = np.random.default_rng(seed)

    def solve(self) -> np.ndarray:
        """Return the item at each place, int64 ``shape``; -1 for none."""
        n = self.pieces
        starts = int(np.clip(8 * 196 / n, 2, 8))
        rounds = int(np.clip(self.effort * 196 / n, 6, 2 * self.effort))
        best, score = np.empty(0), -np.inf
        for seed in self._seeds(starts):
            grid = self._polish(self._grow(self.fit, [((self.shape[0], self.shape[1]), seed)]))
            value = self.value(grid)
            if not best.size or value > score:
                best, score = grid, value
        last = 0
        for count in range(rounds):
            grid = self._polish(self._grow(self._tables(count), self._segment(best, count)))
            value = self.value(grid)
            if value > score + 1e-6:
                best, score, last = grid, value, count
            elif count - last > max(6, rounds // 2):
                break
        return best

    def value(self, grid: np.ndarray) -> float:
        """Return the sum over all seams of how well they fit, against no fit at all."""
        total = 0.0
        for side, a, b in _seams(grid):
            here = (a >= 0) & (b >= 0)
            total += float((np.maximum(self.fit[side][a[here], b[here]], WORST) - NONE).sum())
        return total

    def certainty(self, grid: np.ndarray) -> np.ndarray:
        """Return the mean probability of the seams of each place, float32 as ``grid``; 0 where empty."""
        total, count = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
        for (side, a, b), (one, two) in zip(_seams(grid), _SLICES):
            here = (a >= 0) & (b >= 0)
            share = np.zeros(a.shape, np.float32)
            share[here] = np.exp(self.fit[side][a[here], b[here]] / 2)
            for part in (one, two):
                total[part] += share
                count[part] += 1
        return np.where(grid >= 0, total / np.maximum(count, 1), 0)

    def _seeds(self, count: int) -> list[int]:
        """Return items with certain neighbours: the most certain one, and others at random."""
        sure = np.sum([np.maximum(table.max(axis=1), -6) for table in self.fit.values()], axis=0)
        order = np.argsort(-sure)[: max(2, len(sure) // 2)]
        rest = self.rng.permutation(order[1:])[: count - 1]
        return [int(order[0]), *map(int, rest)]

    def _tables(self, count: int) -> Tables:
        """Return the scores, in every other round with noise, so that growth takes another way."""
        if count % 2 == 0 or len(self.best[0, 1]) > 2048:
            return self.fit
        noise = self.rng.gumbel(scale=0.5, size=self.fit[0, 1].shape).astype(np.float32)
        right, down = self.fit[0, 1] + noise, self.fit[1, 0] + noise.T
        return {(0, 1): right, (1, 0): down, (0, -1): right.T.copy(), (-1, 0): down.T.copy()}

    def _segment(self, grid: np.ndarray, count: int) -> list[tuple[tuple[int, int], int]]:
        """Return a large segment of mutually best neighbours, as (place on the canvas, item) pairs."""
        rows, cols = grid.shape
        label = self._segments(grid, 0 if count % 3 == 0 else 0.3 * self.rng.random())
        size = np.bincount(label[grid >= 0], minlength=label.max() + 1)
        top = np.argsort(-size)[:4]
        pick = top[0] if count % 3 == 0 else self.rng.choice(top, p=size[top] / size[top].sum())
        r, c = np.nonzero((label == pick) & (grid >= 0))
        down = 1 - r.min() + (2 * rows - 2 - (r.max() - r.min())) // 2
        across = 1 - c.min() + (2 * cols - 2 - (c.max() - c.min())) // 2
        return [((int(y + down), int(x + across)), int(grid[y, x])) for y, x in zip(r, c)]

    def _segments(self, grid: np.ndarray, loss: float) -> np.ndarray:
        """Number the groups of mutually best neighbours, int (rows, columns); a share ``loss`` of the seams is cut."""
        index, ends = np.arange(grid.size).reshape(grid.shape), []
        for (side, a, b), (one, two) in zip(_seams(grid), _SLICES):
            back = (-side[0], -side[1])
            mutual = (a >= 0) & (b >= 0) & (self.best[side][a] == b) & (self.best[back][b] == a)
            mutual &= self.rng.random(mutual.shape) >= loss
            ends.append((index[one][mutual], index[two][mutual]))
        i, j = (np.concatenate(part) for part in zip(*ends))
        graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(grid.size, grid.size))
        return connected_components(graph, directed=False)[1].reshape(grid.shape)

    def _grow(self, tables: Tables, fixed: list[tuple[tuple[int, int], int]]) -> np.ndarray:
        """Place items one by one, always where the next one is most certain; int64 ``shape``."""
        growth = Growth(tables, self.shape, self.twins, self.pieces, self.full)
        for place, item in fixed:
            growth.put(place, item)
        while growth.step():
            pass
        return growth.grid()

    def _polish(self, grid: np.ndarray, rounds: int = 3) -> np.ndarray:
        """Assign all places of one colour of a checkerboard at once, in turn, while it helps."""
        if not self.full or (grid < 0).any() or grid.size > 1024:
            return grid
        colour = np.add.outer(np.arange(grid.shape[0]), np.arange(grid.shape[1])) % 2
        for _ in range(rounds):
            before = grid.copy()
            for part in (0, 1):
                r, c = np.nonzero(colour == part)
                items = grid[r, c]
                a, b = linear_sum_assignment(-self._gain(grid, r, c, items))
                grid = grid.copy()
                grid[r[a], c[a]] = items[b]
            if (grid == before).all():
                break
        return grid

    def _gain(self, grid: np.ndarray, r: np.ndarray, c: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return float32 (places, items): how well each item fits the neighbours of each place (r, c)."""
        gain = np.zeros((len(r), len(r)), np.float32)
        for side in SIDES:
            y, x = r + side[0], c + side[1]
            inside = (y >= 0) & (y < grid.shape[0]) & (x >= 0) & (x < grid.shape[1])
            beside = grid[y[inside], x[inside]]
            gain[inside] += np.maximum(self.fit[-side[0], -side[1]][beside][:, items], WORST)
        return gain


def _seams(grid: np.ndarray) -> Iterator[tuple[Side, np.ndarray, np.ndarray]]:
    """Yield (side, items on one side, items on the other) for right and for down."""
    for side, (one, two) in zip(SIDES[:2], _SLICES):
        yield side, grid[one], grid[two]
