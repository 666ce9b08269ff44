"""From fitting scores to a picture: greedy growth, polish, and growing again. NumPy and SciPy.

Growth from the most certain place and re-growing from the largest consistent
segment follow Pomeranz et al. (CVPR 2011) and Paikin and Tal (CVPR 2015); the
assignment of every other place at once is the Hungarian polish of the jigsaw
literature. Items are pieces, or (piece, turn) pairs where pieces were turned.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SIDES = ((0, 1), (1, 0), (0, -1), (-1, 0))
WORST = -12.0  # a seam counts no worse than this
NONE = -7.0  # how well "no piece fits here" explains a seam, where pieces were dropped


class Assembler:
    """Lays items on a grid so that neighbours fit.

    Args:
        right, down: float32 (N, N) log-posteriors that item j is right of, below, item i;
            -inf where that cannot be.
        shape: (rows, columns) of the plain grid.
        twins: int, how many items (turns) each piece has; item k is of piece k // twins.
        effort: about how many times to try again.
    """

    def __init__(self, right, down, shape, twins=1, effort=60, seed=0):
        tables = (right, down, right.T, down.T)
        self.fit = dict(zip(SIDES, (np.ascontiguousarray(t, np.float32) for t in tables)))
        self.best = {side: table.argmax(axis=1) for side, table in self.fit.items()}
        self.shape, self.twins, self.effort = tuple(shape), twins, effort
        self.pieces = len(right) // twins
        self.full = self.pieces == shape[0] * shape[1]
        self.rng = np.random.default_rng(seed)

    def solve(self):
        """int64 ``shape``: the item at each place, -1 for none."""
        n = self.pieces
        starts = int(np.clip(8 * 196 / n, 2, 8))
        rounds = int(np.clip(self.effort * 196 / n, 6, 2 * self.effort))
        best, score = None, -np.inf
        for seed in self._seeds(starts):
            grid = self._polish(self._grow(self.fit, [((self.shape[0], self.shape[1]), seed)]))
            value = self.value(grid)
            if best is None or value > score:
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

    def value(self, grid):
        """Sum over all seams of a grid of how well they fit, against no fit at all."""
        total = 0.0
        for side, a, b in _seams(grid):
            here = (a >= 0) & (b >= 0)
            total += float((np.maximum(self.fit[side][a[here], b[here]], WORST) - NONE).sum())
        return total

    def certainty(self, grid):
        """float32 as ``grid``: the mean chance of the seams of each place; 0 where empty."""
        total, count = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
        for (side, a, b), (one, two) in zip(_seams(grid), _SLICES):
            here = (a >= 0) & (b >= 0)
            share = np.zeros(a.shape, np.float32)
            share[here] = np.exp(self.fit[side][a[here], b[here]] / 2)
            for part in (one, two):
                total[part] += share
                count[part] += 1
        return np.where(grid >= 0, total / np.maximum(count, 1), 0)

    def _seeds(self, count):
        """Items with certain neighbours: the most certain, and others at random."""
        sure = sum(np.maximum(table.max(axis=1), -6) for table in self.fit.values())
        order = np.argsort(-sure)[: max(2, len(sure) // 2)]
        rest = self.rng.permutation(order[1:])[: count - 1]
        return [int(order[0]), *map(int, rest)]

    def _tables(self, count):
        """The scores, in every other round with noise, so that growth takes another way."""
        if count % 2 == 0 or len(self.best[0, 1]) > 2048:
            return self.fit
        noise = self.rng.gumbel(scale=0.5, size=self.fit[0, 1].shape).astype(np.float32)
        right, down = self.fit[0, 1] + noise, self.fit[1, 0] + noise.T
        return {(0, 1): right, (1, 0): down, (0, -1): right.T.copy(), (-1, 0): down.T.copy()}

    def _segment(self, grid, count):
        """A large segment of mutually best neighbours, as (place on the canvas, item) pairs."""
        rows, cols = grid.shape
        cut = 0 if count % 3 == 0 else 0.3 * self.rng.random()
        index, ends = np.arange(grid.size).reshape(grid.shape), ([], [])
        for (side, a, b), (one, two) in zip(_seams(grid), _SLICES):
            back = (-side[0], -side[1])
            mutual = (a >= 0) & (b >= 0) & (self.best[side][a] == b) & (self.best[back][b] == a)
            mutual &= self.rng.random(mutual.shape) >= cut
            ends[0].append(index[one][mutual])
            ends[1].append(index[two][mutual])
        i, j = (np.concatenate(part) for part in ends)
        graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(grid.size, grid.size))
        label = connected_components(graph, directed=False)[1].reshape(grid.shape)
        size = np.bincount(label[grid >= 0], minlength=label.max() + 1)
        top = np.argsort(-size)[:4]
        pick = top[0] if count % 3 == 0 else self.rng.choice(top, p=size[top] / size[top].sum())
        r, c = np.nonzero((label == pick) & (grid >= 0))
        down = 1 - r.min() + (2 * rows - 2 - (r.max() - r.min())) // 2
        across = 1 - c.min() + (2 * cols - 2 - (c.max() - c.min())) // 2
        return [((int(y + down), int(x + across)), int(grid[y, x])) for y, x in zip(r, c)]

    def _grow(self, tables, fixed):
        """Place items one by one, always where it is most certain what comes; ``shape``."""
        growth = _Growth(tables, self.shape, self.twins, self.pieces, self.full)
        for place, item in fixed:
            growth.put(place, item)
        while growth.step():
            pass
        return growth.grid()

    def _polish(self, grid, rounds=3):
        """Assign all places of one colour of a checkerboard at once, in turn, while it helps."""
        if not self.full or (grid < 0).any() or grid.size > 1024:
            return grid
        colour = np.add.outer(np.arange(grid.shape[0]), np.arange(grid.shape[1])) % 2
        for _ in range(rounds):
            before = grid.copy()
            for part in (0, 1):
                r, c = np.nonzero(colour == part)
                items = grid[r, c]
                gain = np.zeros((len(r), len(r)), np.float32)
                for side in SIDES:
                    y, x = r + side[0], c + side[1]
                    inside = (y >= 0) & (y < grid.shape[0]) & (x >= 0) & (x < grid.shape[1])
                    beside = grid[y[inside], x[inside]]
                    gain[inside] += np.maximum(self.fit[-side[0], -side[1]][beside][:, items], WORST)
                a, b = linear_sum_assignment(-gain)
                grid = grid.copy()
                grid[r[a], c[a]] = items[b]
            if (grid == before).all():
                break
        return grid


class _Growth:
    """One greedy growth on a canvas on which the picture may come to lie anywhere."""

    def __init__(self, tables, shape, twins, total, full):
        self.tables, self.shape, self.twins, self.left, self.full = tables, shape, twins, total, full
        self.size = (2 * shape[0] - 1, 2 * shape[1] - 1)
        self.canvas = np.full((self.size[0] + 2, self.size[1] + 2), -1)
        self.used = np.zeros(len(tables[0, 1]), np.float32)
        self.low, self.high = [np.inf, np.inf], [-1, -1]
        self.front = {}  # place -> [scores of all items, best item or -1, certainty, neighbours]

    def put(self, place, item):
        """Lay an item down and tell the places beside it."""
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
                entry[0], entry[1], entry[3] = entry[0] + row, -1, entry[3] + 1
            else:
                self.front[beside] = [row, -1, 0.0, 1]

    def step(self):
        """Fill the place that is most certain; False when there is none left."""
        if self.left <= 0:
            return False
        best, certainty, outside = None, -np.inf, []
        for place, entry in self.front.items():
            if any(max(self.high[k], place[k]) - min(self.low[k], place[k]) >= self.shape[k] for k in (0, 1)):
                outside.append(place)
                continue
            if entry[1] < 0 or self.used[entry[1]] < 0:
                self._decide(entry)
            if entry[2] > certainty:
                best, certainty = place, entry[2]
        for place in outside:
            del self.front[place]
        if best is None:
            return False
        self.put(best, self.front[best][1])
        return True

    def _decide(self, entry):
        """The best item of a place, and the log of its chance against all others still free."""
        scores = entry[0] + self.used
        entry[1] = int(scores.argmax())
        top = scores[entry[1]]
        if not np.isfinite(top):
            entry[2] = -np.inf
            return
        rest = np.exp(scores - top).sum()
        if not self.full:
            rest += np.exp(min(60.0, NONE * entry[3] - top))
        entry[2] = 1e-3 * top - np.log(rest)

    def grid(self):
        """``shape``: what was laid down, from the top left."""
        top, left = int(self.low[0]), int(self.low[1])
        found = self.canvas[top : int(self.high[0]) + 1, left : int(self.high[1]) + 1]
        out = np.full(self.shape, -1)
        out[: found.shape[0], : found.shape[1]] = found
        return out


_SLICES = ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))


def _seams(grid):
    """((side, items on one side, items on the other) for right and for down."""
    return [(side, grid[one], grid[two]) for side, (one, two) in zip(SIDES[:2], _SLICES)]
