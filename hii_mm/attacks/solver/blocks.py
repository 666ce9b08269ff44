"""The board of the annealing, and moves of whole blocks of pieces on it, compiled by numba.

The grid is flat, with a border of one empty place around, so that every place
has four neighbours. An empty place holds the item N, whose seams count 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

CUT = 2.0  # temperatures by which a seam inside a block is cut more easily than by chance


class Board(NamedTuple):
    """Everything that moves read and write.

    Attributes:
        grid: int64 (S,), the item at each place, N for none.
        inside: int64 (n,), the places that are not border.
        where: int64 (pieces,), the place of each piece, -1 for none.
        right: float32 (N + 1, N + 1), what item j right of item i is worth; the last row and column are 0.
        down: the same for j below i.
        likely: int64 (4, N, K), items that fit right of, below, left of and above each item.
        steps: int64 (4,), from a place to the one right, below, left, above.
        mark: int64 (S,), the number of the move that last touched a place; -1 on the border.
        places: int64 (2 n,), touched by the present move.
        old: int64 (2 n,), their items before.
        new: int64 (2 n,), their items after.
    """

    grid: np.ndarray
    inside: np.ndarray
    where: np.ndarray
    right: np.ndarray
    down: np.ndarray
    likely: np.ndarray
    steps: np.ndarray
    mark: np.ndarray
    places: np.ndarray
    old: np.ndarray
    new: np.ndarray


@njit(cache=True)
def shift_block(b, move, source, shift, heat):  # type: ignore[no-untyped-def]
    """Shift a block of fitting pieces; what it lands on goes to the places that it leaves."""
    count = _grow(b, move, source, shift, heat)
    touched = count
    for k in range(count):
        place = b.places[k] + shift
        if b.mark[place] != move:
            b.places[touched] = place
            touched += 1
    for k in range(touched):
        place = b.places[k]
        b.old[k] = b.grid[place]
        back = place - shift
        if k < count and (back < 0 or back >= len(b.grid) or b.mark[back] != move):
            back = place
            while b.mark[back] == move:
                back += shift
        b.new[k] = b.grid[back]
    for k in range(count, touched):
        b.mark[b.places[k]] = move
    return touched


@njit(cache=True)
def _grow(b, move, source, shift, heat):  # type: ignore[no-untyped-def]
    """Collect a block around a place, along seams that hold; return its number of places."""
    most = 1 + int(0.5 * len(b.inside) * np.random.random() ** 2)
    b.places[0], count, done = source, 1, 0
    b.mark[source] = move
    while done < count:
        place = b.places[done]
        done += 1
        for side in range(4):
            beside = place + b.steps[side]
            if count >= most or b.mark[beside] == move or b.mark[beside] < 0:
                continue
            goal = beside + shift
            if goal < 0 or goal >= len(b.grid) or b.mark[goal] < 0:
                continue
            one, two = (place, beside) if side < 2 else (beside, place)
            table = b.right if side % 2 == 0 else b.down
            if np.random.random() > np.exp(-table[b.grid[one], b.grid[two]] / heat):
                b.mark[beside] = move
                b.places[count] = beside
                count += 1
    return count
