"""Sample grids by random moves of pieces and blocks, for marginals.

Accepted as by Metropolis et al. (Journal of Chemical Physics, 1953), at one
temperature. Pieces swap places, or turn; blocks of fitting pieces are shifted
as a whole. Most moves lay one of the likeliest items beside a piece. These
proposals are not symmetric, so samples are only about those of the posterior.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .growth import NONE

Place = tuple[np.ndarray, np.ndarray]  # (rows, columns)
WORST = -12.0  # a seam counts no worse than this
LIKELY = 8  # items that are tried beside each
BLOCKS, GUIDED = 0.05, 0.7  # shares of the moves
EVERY = 5  # neighbours are counted after so many moves a place


@dataclass(frozen=True)
class Marginals:
    """Probabilities of neighbours, float32 (N, N): j right of i, and j below i."""

    right: np.ndarray
    down: np.ndarray

    def expected(self, grid: np.ndarray) -> float:
        """Return the expected number of right neighbours in a grid."""
        return sum(float(table[a, b].sum()) for table, (a, b, _) in zip((self.right, self.down), seams(grid)))


class Annealer:
    """Move pieces under fitting scores.

    Args:
        right: float32 (N, N) log-posteriors that item j is right of item i.
        down: the same for item j below item i.
        twins: items of each piece.
        worst: a seam counts no worse than this.
        none: worth of a seam without a piece.
    """

    def __init__(
        self, right: np.ndarray, down: np.ndarray, twins: int = 1, worst: float = WORST, none: float = NONE
    ) -> None:
        self.count, self.twins = len(right), twins
        self.tables = [_padded(np.maximum(table, worst) - none) for table in (right, down)]
        few = min(LIKELY, self.count)
        sides = (right, down, right.T, down.T)
        self.likely = np.stack([np.argpartition(-side, few - 1, axis=1)[:, :few] for side in sides])

    def sample(self, grid: np.ndarray, moves: int, heat: float, seed: int = 0) -> tuple[np.ndarray, Marginals]:
        """Move at one temperature; return the last grid, and how often items were neighbours."""
        board, size = self.board(grid), self.count
        beside, below = (np.zeros((size + 1, size + 1), np.float32) for _ in range(2))
        from .moves import anneal

        options = heat, self.twins, BLOCKS, GUIDED, EVERY * grid.size
        counts, _ = anneal(board, moves, *options, beside, below, seed)
        shares = (table[:size, :size] / max(1, counts) for table in (beside, below))
        return self.grid(board.grid, grid.shape), Marginals(*shares)

    def board(self, grid: np.ndarray):  # type: ignore[no-untyped-def]
        """Return the board of a grid, with a border of empty places."""
        from .blocks import Board

        rows, cols = grid.shape
        flat = _bordered(np.where(grid < 0, self.count, grid), self.count)
        inside = np.nonzero(_bordered(np.ones_like(grid), 0))[0]
        where = np.full(self.count // self.twins, -1)
        laid = inside[flat[inside] < self.count]
        where[flat[laid] // self.twins] = laid
        mark = _bordered(np.zeros_like(grid), -1)
        spare = (np.empty(2 * grid.size + 2, np.int64) for _ in range(3))
        steps = np.array([1, cols + 2, -1, -cols - 2])
        return Board(flat, inside, where, *self.tables, self.likely, steps, mark, *spare)  # type: ignore[call-arg]

    def grid(self, flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the grid of a board, -1 for none."""
        grid = flat.reshape(shape[0] + 2, shape[1] + 2)[1:-1, 1:-1]
        return np.where(grid < self.count, grid, -1)


def _padded(table: np.ndarray) -> np.ndarray:
    """Add a last row and column of zeros, for no piece."""
    return np.pad(table.astype(np.float32), (0, 1))


def _bordered(grid: np.ndarray, value: int) -> np.ndarray:
    """Add a border, and flatten: int64."""
    return np.pad(grid, 1, constant_values=value).astype(np.int64).ravel()


def seams(grid: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[Place, Place]]]:
    """Yield (items, items beside them, places of both) of seams with two items: across, then down; each (k,)."""
    for down, right in ((0, 1), (1, 0)):
        rows, cols = grid.shape
        a, b = grid[: rows - down, : cols - right], grid[down:, right:]
        r, c = np.nonzero((a >= 0) & (b >= 0))
        yield a[r, c], b[r, c], ((r, c), (r + down, c + right))
