"""Grow a picture again from its segments. NumPy and SciPy.

A segment is a group of pieces each of which is the best neighbour of the next
one, and the other way round: most are right. Growth from a whole segment does
not repeat the mistakes around it (Pomeranz et al., CVPR 2011; Paikin and Tal,
CVPR 2015).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .annealing import seams
from .greedy import Greedy
from .growth import SIDES

CUT = 0.3  # largest share of a segment's seams that is cut, to leave parts of it out
LARGE = 4  # segments, one of which is kept


def regrown(
    greedy: Greedy, grid: np.ndarray, worth: Callable[[np.ndarray], float], rounds: int, seed: int = 0
) -> np.ndarray:
    """Grow again from a segment of the best picture so far; return the one that is worth most.

    In every third round from the largest segment, else from one of the large
    ones, some of whose seams are cut.

    Args:
        greedy: with the scores.
        grid: int ``greedy.shape``, the item at each place, -1 for none.
        worth: of a picture.
        rounds: how often to grow.
        seed: of what is cut and kept.
    """
    rng, best, most = np.random.default_rng(seed), grid, worth(grid)
    for count in range(rounds):
        label = segments(greedy, best, 0 if count % 3 == 0 else CUT * rng.random(), rng)
        size = np.bincount(label[best >= 0])
        large = np.argsort(-size)[:LARGE]
        kept = large[0] if count % 3 == 0 else rng.choice(large, p=size[large] / size[large].sum())
        found = greedy.polish(greedy.grow_from(best, label == kept))
        value = worth(found)
        if value > most:
            best, most = found, value
    return best


def segments(greedy: Greedy, grid: np.ndarray, loss: float, rng: np.random.Generator) -> np.ndarray:
    """Number the segments of a grid: int, as ``grid``; a random share ``loss`` of the seams is cut."""
    index, ends = np.arange(grid.size).reshape(grid.shape), []
    for side, (a, b, (one, two)) in zip(SIDES, seams(grid)):
        best, back = greedy.fit[side], greedy.fit[-side[0], -side[1]]
        mutual = (best.argmax(axis=1)[a] == b) & (back.argmax(axis=1)[b] == a) & (rng.random(len(a)) >= loss)
        ends.append((index[one][mutual], index[two][mutual]))
    i, j = (np.concatenate(part) for part in zip(*ends))
    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(grid.size, grid.size))
    return connected_components(graph, directed=False)[1].reshape(grid.shape)
