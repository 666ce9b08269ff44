"""Right adjacencies of a grid of pieces, where equal pieces may stand for each other. NumPy and SciPy.

Grids hold the labels of what lies at each place, int (rows, columns), -1 for
nothing; equal pieces have equal labels.

Adjacencies are counted as a multiset. If the plain picture has a black piece
right of a black piece three times, at most three such seams of the found grid
are right, however many black pieces lie beside each other. Where a grid has
more seams of a kind than the plain picture, those are chosen whose two ends
lie in the largest groups that the undisputed seams join; then those that come
first: downward seams row by row, then seams to the right column by column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Seams(NamedTuple):
    """The seams of a found grid along both axes, down first.

    Attributes:
        ends: int64 (m, 2), the places at both ends of each seam.
        right: bool (m,), which of them count.
        kept: number of seams of the plain picture whose two pieces were kept.
    """

    ends: np.ndarray
    right: np.ndarray
    kept: int


def right_seams(found: np.ndarray, truth: np.ndarray) -> Seams:
    """Return which seams of a grid are right: the multiset intersection with those of the truth.

    Args:
        found: int (rows, columns), label at each place or -1.
        truth: int (u, v), label of each plain patch or -1.
    """
    span = int(max(truth.max(initial=0), found.max(initial=0))) + 1
    ends, kinds = _kinds(found, span)
    _, wanted = _kinds(truth, span)
    names, number, seen = np.unique(kinds, return_inverse=True, return_counts=True)
    quota = _count(wanted, names)[number]
    right = seen[number] <= quota
    disputed = np.nonzero(~right & (quota > 0))[0]
    if len(disputed):
        size = group_sizes(found.size, ends[right])[ends[disputed]].sum(axis=1)
        right[disputed] = _rank(number[disputed], -size) < quota[disputed]
    return Seams(ends, right, len(wanted))


def group_sizes(places: int, ends: np.ndarray) -> np.ndarray:
    """Return the size of the group that each place belongs to, int64 (places,); ``ends``, (m, 2), join them."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(places, places))
    label = np.asarray(connected_components(graph, directed=False)[1], np.int64)
    return np.asarray(np.bincount(label)[label])


def _kinds(grid: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of all seams between two pieces, (m, 2), and the kind of each: axis and labels as a number."""
    index = np.arange(grid.size).reshape(grid.shape)
    ends, kinds = [], []
    for axis, (cells, labels) in enumerate(((index, grid), (index.T, grid.T))):
        a, b = labels[:-1].ravel(), labels[1:].ravel()
        both = (a >= 0) & (b >= 0)
        ends.append(np.stack([cells[:-1].ravel(), cells[1:].ravel()], axis=1)[both])
        kinds.append((axis * span + a[both]) * span + b[both])
    return np.concatenate(ends), np.concatenate(kinds)


def _count(values: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return how often each of the sorted ``names`` is among ``values``."""
    known, seen = np.unique(values, return_counts=True)
    if not len(known):
        return np.zeros(len(names), np.int64)
    at = np.searchsorted(known, names).clip(0, len(known) - 1)
    return np.where(known[at] == names, seen[at], 0)


def _rank(group: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Return the rank of each item among those of its group, by cost and then by position, from 0 on."""
    order = np.lexsort((np.arange(len(group)), cost, group))
    ordered = group[order]
    start = np.nonzero(np.r_[True, ordered[1:] != ordered[:-1]])[0]
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(start, np.diff(np.r_[start, len(group)]))
    return rank
