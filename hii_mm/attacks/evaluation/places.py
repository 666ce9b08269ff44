"""Measures of reassembled images: pieces in the right place and beside the right neighbour. No runner, no torch.

Grids of pieces are int (rows, columns). ``places`` is what an attack found:
the piece of the encrypted image, counted row by row, at each place, or -1.
``permutation`` is that of the plan: which plain patch each piece is.
"""

from __future__ import annotations

import hashlib

import numpy as np

from ...encryption import ShufflePlan
from ...encryption.turns import MIRROR, compose, inverse, turn, turn_grid
from .adjacency import group_sizes, right_seams

TURNS = range(2 * MIRROR)


def turned_classes(pieces: np.ndarray) -> np.ndarray:
    """Number what each piece shows under each of the eight turns; equal pixels share a number.

    A flat piece has one number for all turns. An oblong piece that lies never
    shows what one that stands does.

    Args:
        pieces: (n, h, w, C).

    Returns:
        int64 (n, 8).
    """
    seen: dict[tuple[tuple[int, ...], bytes], int] = {}
    found = np.empty((len(pieces), len(TURNS)), np.int64)
    for code in TURNS:
        for k, form in enumerate(np.ascontiguousarray(turn(pieces, code))):
            content = form.shape, hashlib.blake2b(form.data, digest_size=16).digest()
            found[k, code] = seen.setdefault(content, len(seen))
    return found


class Places:
    """Direct, neighbour, largest component and perfect, of one reassembled image."""

    @staticmethod
    def calculate(
        places: np.ndarray, permutation: np.ndarray, plain_grid: tuple[int, int], same: np.ndarray | None = None
    ) -> dict[str, float]:
        """Measure where the pieces lie.

        Args:
            places: int (rows, columns), the piece at each place or -1.
            permutation: int (n,), the plain patch that each piece is.
            plain_grid: (rows, columns) of the plain patches.
            same: int (n,), from :func:`..solver.pieces.classes`: pieces with
                equal numbers may stand for each other.

        Returns:
            Shares in [0, 1]:

            - direct: pieces at the right place, for the best of all translations.
            - neighbour: right directed adjacencies / (2uv - u - v). Equal pieces
              count as a multiset: see :mod:`.adjacency`.
            - surviving: the same over the adjacencies whose two patches were kept; NaN without any.
            - component: the largest 4-connected group joined by right adjacencies / pieces.
            - perfect: 1 if direct is 1, else 0.
        """
        label = np.arange(len(permutation)) if same is None else np.asarray(same)
        return _score(np.where(places >= 0, label[places], -1), truth_grid(label, permutation, plain_grid))

    @staticmethod
    def turned(
        places: np.ndarray,
        turns: np.ndarray,
        permutation: np.ndarray,
        orientation: np.ndarray,
        plain_grid: tuple[int, int],
        same: np.ndarray | None = None,
    ) -> dict[str, float]:
        """Measure where the pieces lie if they were turned too.

        A piece counts only if it shows, as it is turned, what belongs there.
        The picture as a whole may be turned or mirrored: the best of all 8 ways counts.

        Args:
            places: int (rows, columns), as in :meth:`calculate`.
            turns: int (rows, columns), how each piece was turned back.
            permutation: int (n,), as in :meth:`calculate`.
            orientation: int (n,), how the owner turned it.
            plain_grid: (rows, columns), as in :meth:`calculate`.
            same: int (n, 8), from :func:`turned_classes`; or (n,), as in
                :meth:`calculate`: then only the code that undoes the owner's
                turns a piece right, whatever it shows; or None.
        """
        index = np.arange(len(permutation))
        label = index if same is None else np.asarray(same)
        label = label[:, None] * len(TURNS) + np.array(TURNS) if label.ndim == 1 else label
        found, grids = np.where(places >= 0, label[places, turns], -1), []
        back = [int(code) for code in inverse(np.array(TURNS))]
        for code in TURNS:
            want = np.array([compose(undone, code) for undone in back])[orientation]
            truth = truth_grid(label[index, want], permutation, plain_grid)
            grid = turn_grid(found, back[code])
            grids.append((int(right_seams(grid, truth).right.sum()), grid, truth))
        most = max(right for right, _, _ in grids)
        scores = [_score(grid, truth) for right, grid, truth in grids if right == most]
        return max(scores, key=lambda score: score['direct'])

    @classmethod
    def of_plan(
        cls, places: np.ndarray, turns: np.ndarray | None, plan: ShufflePlan, same: np.ndarray | None = None
    ) -> dict[str, float]:
        """Measure places against a plan: :meth:`turned` if it turns pieces, else :meth:`calculate`."""
        if plan.orientation is None:
            return cls.calculate(places, plan.permutation, plan.grid.shape, same)
        turns = np.zeros_like(places) if turns is None else turns
        return cls.turned(places, turns, plan.permutation, plan.orientation, plan.grid.shape, same)


def truth_grid(label: np.ndarray, permutation: np.ndarray, plain_grid: tuple[int, int]) -> np.ndarray:
    """Return the label of the piece of each plain patch, -1 where it was dropped: int (rows, columns)."""
    truth = np.full(plain_grid[0] * plain_grid[1], -1)
    truth[permutation] = label
    return truth.reshape(plain_grid)


def _score(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the figures of :meth:`Places.calculate` for two grids of labels."""
    (u, v), pieces, seams = truth.shape, int((truth >= 0).sum()), right_seams(found, truth)
    right = int(seams.right.sum())
    joined = group_sizes(found.size, seams.ends[seams.right])
    direct = _direct(found, truth) / pieces
    return {
        'direct': direct,
        'neighbour': right / max(1, 2 * u * v - u - v),
        'surviving': right / seams.kept if seams.kept else float('nan'),
        'component': int(joined[found.ravel() >= 0].max(initial=0)) / pieces,
        'perfect': float(direct == 1),
    }


def _direct(found: np.ndarray, truth: np.ndarray) -> int:
    """Return the most places that agree, over all translations of one grid on the other."""
    (a, b), (u, v) = found.shape, truth.shape
    where: dict[int, list[tuple[int, int]]] = {}
    for y, x in zip(*np.nonzero(truth >= 0)):
        where.setdefault(int(truth[y, x]), []).append((y, x))
    votes = np.zeros((a + u, b + v), np.int64)
    for y, x in zip(*np.nonzero(found >= 0)):
        spots = np.array(where.get(int(found[y, x]), []))
        if len(spots):
            votes[spots[:, 0] - y + a, spots[:, 1] - x + b] += 1
    return int(votes.max(initial=0))
