"""Move pieces at random on a board, compiled by numba.

A move on 196 pieces takes about 0.7 us on one core; without numba 20 us.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .blocks import CUT, shift_block


@njit(cache=True)
def anneal(b, moves, heat, twins, blocks, guided, every, beside, below, seed):  # type: ignore[no-untyped-def]
    """Move pieces at random at one temperature, uphill always and downhill by chance (Metropolis).

    Args:
        b: the board, changed in place. Its arrays are handed on one by one: as a tuple they take three times as long.
        moves: number of moves.
        heat: temperature, in units of the scores.
        twins: items of each piece.
        blocks: share of moves that take a block along.
        guided: share of moves that lay a likely item beside a neighbour.
        every: count the neighbours every so many moves, after the first eighth.
        beside: float32 (N + 1, N + 1), in which right neighbours are counted.
        below: the same for lower neighbours.
        seed: of the moves.

    Returns:
        (counts, how often neighbours were counted; the gain in value from the first grid to the last).
    """
    np.random.seed(seed)
    grid, inside, where, right, down, likely, steps, mark, places, old, new = b
    value, counts, along = 0.0, 0, steps[1]
    for move in range(1, moves + 1):
        touched = _propose(grid, inside, where, likely, steps, mark, places, old, new, move, twins, blocks, guided)
        if touched < 0:
            touched = shift_block(b, move, places[0], places[1] - places[0], heat * CUT)
        gain = _apply(grid, right, down, mark, along, places, old, new, touched, move)
        if gain >= 0 or np.random.random() < np.exp(gain / heat):
            value += gain
            _settle(where, places, new, touched, twins, len(right) - 1)
        else:
            for k in range(touched):
                grid[places[k]] = old[k]
        if move % every == 0 and move > moves // 8:
            _count(b, beside, below)
            counts += 1
    return counts, value


@njit(cache=True)
def _propose(grid, inside, where, likely, steps, mark, places, old, new, move, twins, blocks, guided):  # type: ignore[no-untyped-def]
    """Write a random move into places, old and new; return the number of places, -1 for a block."""
    none = likely.shape[1]
    target = inside[np.random.randint(len(inside))]
    if np.random.random() < guided:
        side = np.random.randint(4)
        neighbour = grid[target - steps[side]]
        if neighbour == none:
            return 0
        item = likely[side, neighbour, np.random.randint(likely.shape[2])]
        source = where[item // twins]
        if source < 0:
            return 0
    else:
        source = inside[np.random.randint(len(inside))]
        item = grid[source]
        if item == none:
            return 0
        if twins > 1 and np.random.random() < 0.3:
            item += np.random.randint(twins) - item % twins
    places[0], places[1] = source, target
    if source != target and item == grid[source] and np.random.random() < blocks:
        return -1
    mark[source] = mark[target] = move
    old[0], new[0] = grid[source], grid[target]
    if source == target:
        new[0] = item
        return 0 if old[0] == item else 1
    old[1], new[1] = grid[target], item
    return 2


@njit(cache=True)
def _apply(grid, right, down, mark, along, places, old, new, touched, move):  # type: ignore[no-untyped-def]
    """Write the new items; return how much more the seams around are worth."""
    gain = 0.0
    for k in range(touched):
        gain -= _around(grid, right, down, mark, along, places[k], move)
    for k in range(touched):
        grid[places[k]] = new[k]
    for k in range(touched):
        gain += _around(grid, right, down, mark, along, places[k], move)
    return gain


@njit(cache=True)
def _around(grid, right, down, mark, along, place, move):  # type: ignore[no-untyped-def]
    """Return the worth of the seams of a place, without those that a touched place left of or above it counts."""
    item = grid[place]
    worth = right[item, grid[place + 1]] + down[item, grid[place + along]]
    if mark[place - 1] != move:
        worth += right[grid[place - 1], item]
    if mark[place - along] != move:
        worth += down[grid[place - along], item]
    return worth


@njit(cache=True)
def _settle(where, places, new, touched, twins, none):  # type: ignore[no-untyped-def]
    """Note where the pieces lie now."""
    for k in range(touched):
        if new[k] < none:
            where[new[k] // twins] = places[k]


@njit(cache=True)
def _count(b, beside, below):  # type: ignore[no-untyped-def]
    """Count the neighbours of the present grid."""
    for place in b.inside:
        item = b.grid[place]
        beside[item, b.grid[place + b.steps[0]]] += 1
        below[item, b.grid[place + b.steps[1]]] += 1
