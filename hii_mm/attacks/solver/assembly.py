"""Assemble a picture from fitting scores: loops, greedy growth, sampling, and growth from the marginals.

1. Scores of neighbours are made to agree around loops of four pieces (:mod:`.loops`).
2. A picture is grown and polished under them (:mod:`.greedy`); where the scores are sure, one is
   also joined from parts (:mod:`.joining`).
3. Moves of pieces and blocks sample other pictures near it (:mod:`.annealing`).
4. The picture is grown again from how often pieces were neighbours in the
   samples. Of all pictures the one with most expected right neighbours is kept:
   the highest value under the scores is often not the one with most of them.

Where most pieces were dropped, pictures with more false seams have the higher value; there the picture is
joined from parts alone, and the parts are laid out. Where few were dropped, it is grown again from its
segments instead (:mod:`.regrowth`).

Items are pieces, or (piece, turn) pairs where pieces were turned.
"""

from __future__ import annotations

import numpy as np

from .annealing import WORST, Annealer, Marginals, seams
from .greedy import Greedy
from .growth import NONE
from .joining import joined
from .loops import ROUNDS, consistent
from .regrowth import regrown

HEAT = 3.0  # temperature of the samples, in units of the scores that agree around loops
COOL = 1.5  # the same where places stay empty (pieces drift apart there), or where the scores are sure
SURE = 0.6  # mean probability of the best neighbours, above which the scores are not changed: loops only add noise
LOWEST = -30.0  # such a score counts no worse than this
MOVES, CHAINS = 2500, 4  # moves a place in each chain; chains
MOST = 1_500_000  # moves of all chains at effort 1, however many places
PARTS = 1024  # items at most that are joined to parts
AGAIN = 30  # rounds of growing again, at effort 1
WHOLE = 0.6  # share of the pieces, above which they hang together in one part (site percolation: 0.593)
UNSEEN = 1e-3  # probability of neighbours that no sample has


def value(grid: np.ndarray, right: np.ndarray, down: np.ndarray) -> float:
    """Return the sum over all seams of a grid of how well they fit, against no fit at all.

    Args:
        grid: int (rows, columns), the item at each place, -1 for none.
        right: float32 (N, N) log-posteriors that item j is right of item i.
        down: the same for item j below item i.
    """
    found = zip((right, down), seams(grid))
    return sum(float((np.maximum(table[a, b], WORST) - NONE).sum()) for table, (a, b, _) in found)


class Assembler:
    """Lay items on a grid so that neighbours fit.

    Args:
        right: float32 (N, N) log-posteriors that item j is right of item i; -inf where that is impossible.
        down: the same for item j below item i.
        shape: (rows, columns) of the plain grid.
        twins: number of items (turns) of each piece; item k belongs to piece k // twins.
        effort: of the search: 0 only grows, 1 takes one to two CPU seconds for 196 pieces, 4 samples four times
            as much.
        seed: of everything random.

    Raises:
        ValueError: an effort below 0.
    """

    def __init__(
        self,
        right: np.ndarray,
        down: np.ndarray,
        shape: tuple[int, int],
        twins: int = 1,
        effort: float = 1.0,
        seed: int = 0,
    ) -> None:
        if not effort >= 0:
            raise ValueError(f'effort must be 0 or more, not {effort!r}')
        self.right, self.down = (np.asarray(table, np.float32) for table in (right, down))
        self.shape, self.twins, self.effort, self.seed = (shape[0], shape[1]), twins, effort, seed
        self.marginals: Marginals | None = None

    def solve(self) -> np.ndarray:
        """Return the item at each place, int64 ``shape``; -1 for none."""
        if self.twins == 1 and len(self.right) < self.shape[0] * self.shape[1] and len(self.right) <= PARTS:
            return self._joined()
        sure = self._sure()
        tables = consistent(self.right, self.down, 0 if sure else ROUNDS)
        starts = int(np.clip(8 * 196 * self.twins / len(self.right), 2, 8))
        greedy = Greedy(*tables, self.shape, self.twins, self.seed)
        first = greedy.best(lambda grid: value(grid, *tables), starts)
        if self.twins == 1 and sure and len(self.right) <= PARTS:
            first = max(first, joined(self._worth(), self.shape), key=self.value)
            first = regrown(greedy, first, self.value, int(self.effort * AGAIN), self.seed)
        moves = self._moves()
        if not moves:
            return first
        self.marginals = sampled = self._sample(first, tables, moves, COOL if sure or (first < 0).any() else HEAT)
        likely = np.log(sampled.right + UNSEEN), np.log(sampled.down + UNSEEN)
        second = Greedy(*likely, self.shape, self.twins, self.seed).best(sampled.expected, starts)
        return max(first, second, key=sampled.expected)

    def value(self, grid: np.ndarray) -> float:
        """Return the value of a grid under the scores as given."""
        return value(grid, self.right, self.down)

    def certainty(self, grid: np.ndarray) -> np.ndarray:
        """Return the mean probability of the seams of each place, float32 as ``grid``; 0 where empty.

        The probabilities are those of the samples, after :meth:`solve` with an
        effort above 0, else those of the scores.
        """
        tables = [np.exp(table / 2) for table in (self.right, self.down)]
        if self.marginals is not None:
            tables = [self.marginals.right, self.marginals.down]
        total, count = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
        rows, cols = np.indices(grid.shape)
        for table, (a, b, ends) in zip(tables, seams(grid)):
            for end in ends:
                np.add.at(total, end, table[a, b])
        for length, index in zip(grid.shape, (rows, cols)):
            count += (index > 0).astype(np.float32) + (index < length - 1)
        return np.where(grid >= 0, total / np.maximum(count, 1), 0)

    def _joined(self) -> np.ndarray:
        """Return a picture that is joined from parts; where few places are empty, or a grown one, and grown again."""
        found = joined(self._worth(), self.shape)
        if len(self.right) < WHOLE * found.size:
            return found
        greedy = Greedy(self.right, self.down, self.shape, 1, self.seed)
        first = max(found, greedy.best(self.value), key=self.value)
        return regrown(greedy, first, self.value, int(self.effort * AGAIN), self.seed)

    def _worth(self) -> np.ndarray:
        """Return what each item right of another, and below it, is worth: float32 (2, N, N)."""
        return np.maximum(np.stack([self.right, self.down]), WORST) - np.float32(NONE)

    def _sure(self) -> bool:
        """Return whether most items know their neighbours by the scores alone."""
        best = [np.exp(table.max(axis=axis) / 2).mean() for table in (self.right, self.down) for axis in (0, 1)]
        return bool(np.mean(best) > SURE)

    def _moves(self) -> int:
        """Return the number of moves of each chain."""
        places = self.shape[0] * self.shape[1]
        return int(self.effort * min(MOVES * places, MOST // CHAINS)) if places > 1 else 0

    def _sample(self, grid: np.ndarray, tables: tuple[np.ndarray, np.ndarray], moves: int, heat: float) -> Marginals:
        """Return how often items are neighbours, over chains that start from a grid, each first at twice the heat."""
        annealer, found = Annealer(*tables, self.twins, LOWEST), []
        for chain in range(CHAINS):
            seed = self.seed * CHAINS + chain
            loose, _ = annealer.sample(grid, moves // 4, 2 * heat, seed)
            found.append(annealer.sample(loose, moves - moves // 4, heat, seed)[1])
        return Marginals(*(np.mean([getattr(part, side) for part in found], axis=0) for side in ('right', 'down')))
