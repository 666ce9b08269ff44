"""Grow a picture item by item, always at the most certain place. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Side = tuple[int, int]  # (down, right) from a place to the one beside it
Tables = dict[Side, np.ndarray]  # by side: float32 (N, N), how well item j fits at that side of item i
SIDES: tuple[Side, ...] = ((0, 1), (1, 0), (0, -1), (-1, 0))
NONE = -7.0  # how well "no piece fits here" explains a seam, where pieces were dropped


@dataclass(slots=True)
class _Place:
    """An empty place beside laid items: scores of all items, the best one or -1, its certainty, laid neighbours."""

    scores: np.ndarray
    best: int = -1
    certainty: float = 0.0
    neighbours: int = 1


class Growth:
    """One greedy growth on a canvas that is large enough for the picture to end up anywhere.

    Args:
        tables: how well items fit beside each other.
        shape: (rows, columns) of the picture.
        twins: number of items of each piece.
        pieces: number of pieces.
        full: the pieces fill the picture; otherwise places may stay empty.
    """

    def __init__(self, tables: Tables, shape: tuple[int, int], twins: int, pieces: int, full: bool) -> None:
        self.tables, self.shape, self.twins, self.left, self.full = tables, shape, twins, pieces, full
        self.size = (2 * shape[0] - 1, 2 * shape[1] - 1)
        self.canvas = np.full((self.size[0] + 2, self.size[1] + 2), -1)
        self.used = np.zeros(len(tables[0, 1]), np.float32)
        self.low: list[float] = [np.inf, np.inf]
        self.high: list[int] = [-1, -1]
        self.front: dict[tuple[int, int], _Place] = {}

    def put(self, place: tuple[int, int], item: int) -> None:
        """Lay an item down, and update the places beside it.

        Args:
            place: (row, column) on the canvas, from 1 on.
            item: index into the tables.
        """
        self.canvas[place] = item
        piece = item // self.twins
        self.used[piece * self.twins : (piece + 1) * self.twins] = -np.inf
        self.front.pop(place, None)
        self.left -= 1
        for axis in (0, 1):
            self.low[axis] = min(self.low[axis], place[axis])
            self.high[axis] = max(self.high[axis], place[axis])
        for side in SIDES:
            beside = place[0] + side[0], place[1] + side[1]
            if not (1 <= beside[0] <= self.size[0] and 1 <= beside[1] <= self.size[1]) or self.canvas[beside] >= 0:
                continue
            row = self.tables[side][item]
            entry = self.front.get(beside)
            if entry:
                entry.scores, entry.best, entry.neighbours = entry.scores + row, -1, entry.neighbours + 1
            else:
                self.front[beside] = _Place(row)

    def step(self) -> bool:
        """Fill the most certain place; return False when no place is left."""
        if self.left <= 0:
            return False
        best, certainty, outside = None, -np.inf, []
        for place, entry in self.front.items():
            if any(max(self.high[k], place[k]) - min(self.low[k], place[k]) >= self.shape[k] for k in (0, 1)):
                outside.append(place)
                continue
            if entry.best < 0 or self.used[entry.best] < 0:
                self._decide(entry)
            if entry.certainty > certainty:
                best, certainty = place, entry.certainty
        for place in outside:
            del self.front[place]
        if best is None:
            return False
        self.put(best, self.front[best].best)
        return True

    def _decide(self, entry: _Place) -> None:
        """Find the best item of a place, and the log of its probability among all items that are left."""
        scores = entry.scores + self.used
        entry.best = int(scores.argmax())
        top = scores[entry.best]
        if not np.isfinite(top):
            entry.certainty = -np.inf
            return
        rest = np.exp(scores - top).sum()
        if not self.full:
            rest += np.exp(min(60.0, NONE * entry.neighbours - top))
        entry.certainty = 1e-3 * top - np.log(rest)

    def grid(self) -> np.ndarray:
        """Return the picture, int64 (rows, columns), from the top left of what was laid; -1 for none."""
        top, left = int(self.low[0]), int(self.low[1])
        found = self.canvas[top : int(self.high[0]) + 1, left : int(self.high[1]) + 1]
        out = np.full(self.shape, -1)
        out[: found.shape[0], : found.shape[1]] = found
        return out
