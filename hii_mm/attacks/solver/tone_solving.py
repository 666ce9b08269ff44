"""Solve the tones of all pieces of an assembled picture together, so that it has one tone. NumPy and SciPy.

1. For each seam the likeliest relation of the two tones (:mod:`.tones`) is
   taken; pieces get theirs along the surest seams, a largest spanning tree.
2. The levels are those with the least absolute misses over all seams, by
   reweighted least squares.
3. The picture as a whole may still have any order of colours, and be a
   negative: what looks most like public photographs is taken (:mod:`.looks`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.sparse.linalg import spsolve

from ...encryption.turns import inverse, turn
from . import looks
from .seams import SeamModel
from .tones import backward, bare, composed, through

ROUNDS = 6  # of reweighting
SMALL = 1.0  # grey levels: misses below count alike
TIE = 1e-3  # weight that holds parts without a seam to the mean level


class Seams(NamedTuple):
    """Seams of an assembled picture.

    Attributes:
        ends: int64 (S, 2), the left (or upper) and the right (or lower) place, among those that are filled.
        state: int64 (S,), the relation of their tones.
        sure: float64 (S,), its probability.
        jump: float32 (S, 2, 3), the mean colours on both sides of the seam, without tone.
    """

    ends: np.ndarray
    state: np.ndarray
    sure: np.ndarray
    jump: np.ndarray


def solved(pieces: np.ndarray, places: np.ndarray, turns: np.ndarray | None, model: SeamModel) -> np.ndarray:
    """Return pieces in the tone that fits their places.

    Args:
        pieces: float32 (n, h, w, 3) in [0, 255], of any tones, as encrypted.
        places: int (rows, columns), the piece at each place or -1.
        turns: int (rows, columns), how each piece is turned before it is put there, or None.
        model: of the seams of pieces with a tone.

    Returns:
        float32 (n, h, w, 3), not clipped; pieces without a place are without their tone, around middle grey.
    """
    rest, filled = bare(pieces).pieces, places >= 0
    found = rest + 127.5
    if not filled.any():
        return found
    codes = np.zeros(places.shape, np.int64) if turns is None else np.asarray(turns)
    sheet = np.stack([turn(rest[k][None], code)[0] for k, code in zip(places[filled], codes[filled])])
    seams = _seams(sheet, filled, model)
    state = _states(seams, len(sheet))
    sheet = through(sheet, state[:, None, None])
    sheet = sheet + _levels(seams, state, len(sheet))[:, None, None]
    sheet = looks.likeliest(sheet, np.argwhere(filled))
    for k, code, part in zip(places[filled], inverse(codes[filled]), sheet):
        found[k] = turn(part[None], code)[0]
    return found


def _seams(sheet: np.ndarray, filled: np.ndarray, model: SeamModel) -> Seams:
    """Return all seams between filled places; ``sheet`` is (n, h, w, 3) of those, row by row."""
    index = np.where(filled, np.cumsum(filled).reshape(filled.shape) - 1, -1)
    parts = [*_lines(sheet, index, model), *_lines(np.ascontiguousarray(sheet.swapaxes(1, 2)), index.T, model)]
    none = Seams(np.zeros((0, 2), int), np.zeros(0, int), np.zeros(0), np.zeros((0, 2, 3), np.float32))
    return Seams(*(np.concatenate(each) for each in zip(none, *parts)))


def _lines(sheet: np.ndarray, index: np.ndarray, model: SeamModel) -> Iterator[Seams]:
    """Yield the seams of each row of places."""
    for line in index:
        both = np.nonzero((line[:-1] >= 0) & (line[1:] >= 0))[0]
        if not len(both):
            continue
        left, right = line[both], line[both + 1]
        chances = model.states(sheet[left], sheet[right])[:, np.arange(len(both)), np.arange(len(both))]
        jump = np.stack([sheet[left][:, :, -1].mean(axis=1), sheet[right][:, :, 0].mean(axis=1)], axis=1)
        yield Seams(np.stack([left, right], axis=1), chances.argmax(axis=0), np.exp(chances.max(axis=0)), jump)


def _states(seams: Seams, count: int) -> np.ndarray:
    """Return the relation of the first piece's tone, of each part that hangs together, to that of each: (count,)."""
    state = np.zeros(count, np.int64)
    if not len(seams.ends):
        return state
    (a, b), numbers = seams.ends.T, np.arange(len(seams.ends))
    tree = minimum_spanning_tree(csr_array((2 - seams.sure, (a, b)), shape=(count, count)))
    number = csr_array((numbers + 1, (a, b)), shape=(count, count))
    seen = np.zeros(count, bool)
    for root in range(count):
        if seen[root]:
            continue
        order, before = breadth_first_order(tree, root, directed=False)
        seen[order] = True
        for piece in order[1:]:
            parent = before[piece]
            ahead = number[parent, piece]
            step = seams.state[ahead - 1] if ahead else backward(seams.state[number[piece, parent] - 1])
            state[piece] = composed(state[parent], step)
    return state


def _levels(seams: Seams, state: np.ndarray, count: int) -> np.ndarray:
    """Return the level of each colour of each piece, float64 (count, 3), for pieces in the tone of the first one."""
    if not len(seams.ends):
        return np.zeros((count, 3))
    a, b = seams.ends.T
    rise = through(seams.jump[:, 0], state[a]) - through(seams.jump[:, 1], state[b])  # level of b less that of a
    levels, every = np.zeros((count, 3)), np.concatenate([a, b, a, b, np.arange(count)])
    other = np.concatenate([a, b, b, a, np.arange(count)])
    for colour in range(3):
        weight = seams.sure
        for _ in range(ROUNDS):
            parts = np.concatenate([weight, weight, -weight, -weight, np.full(count, TIE)])
            matrix = coo_array((parts, (every, other)), shape=(count, count)).tocsc()
            pull = weight * rise[:, colour]
            target = np.bincount(b, pull, count) - np.bincount(a, pull, count)
            levels[:, colour] = spsolve(matrix, target)
            miss = np.abs(levels[b, colour] - levels[a, colour] - rise[:, colour])
            weight = seams.sure / np.maximum(miss, SMALL)
    return levels
