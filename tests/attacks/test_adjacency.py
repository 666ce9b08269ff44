"""Seams between equal pieces: never more than the plain picture has, and those that make sense first."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hii_mm.attacks.evaluation.adjacency import right_seams
from hii_mm.attacks.evaluation.places import Places


def flood(size, ends):
    """Return the size of the largest group that ``ends`` join, in plain Python."""
    groups = [{place} for place in range(size)]
    for a, b in ends:
        one, two = (next(group for group in groups if place in group) for place in (a, b))
        if one is not two:
            groups.remove(two)
            one |= two
    return max(map(len, groups))


def kinds(grid):
    """Return ``{(axis, label, label): [(place, place)]}``, place by place."""
    found = {}
    for (y, x), label in np.ndenumerate(grid):
        for axis, (dy, dx) in enumerate(((1, 0), (0, 1))):
            if y + dy < grid.shape[0] and x + dx < grid.shape[1] and min(label, grid[y + dy, x + dx]) >= 0:
                ends = y * grid.shape[1] + x, (y + dy) * grid.shape[1] + x + dx
                found.setdefault((axis, label, grid[y + dy, x + dx]), []).append(ends)
    return found


def grids(most):
    """Draw two grids of labels, -1 for nothing."""
    shape = st.tuples(st.integers(1, 3), st.integers(1, 4))
    label = st.integers(-1, most)
    return st.tuples(shape, shape).flatmap(
        lambda both: st.tuples(*(st.lists(label, min_size=u * v, max_size=u * v).map(
            lambda cells, u=u, v=v: np.array(cells).reshape(u, v)) for u, v in both))
    )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(grids(2))
def test_seams_are_the_intersection_of_two_multisets(both):
    found, truth = both
    seams, had, want = right_seams(found, truth), kinds(found), kinds(truth)
    chosen = {tuple(ends) for ends in seams.ends[seams.right]}
    assert seams.kept == sum(map(len, want.values()))
    for kind, places in had.items():
        assert len(chosen & set(places)) == min(len(places), len(want.get(kind, [])))


@settings(max_examples=150, deadline=None)
@given(grids(1))
def test_the_largest_group_is_one_that_some_choice_of_seams_gives(both):
    """Between the group of the undisputed seams and the best of all choices, tried one by one."""
    found, truth = both
    had, want = kinds(found), kinds(truth)
    choices = [list(combinations(places, min(len(places), len(want.get(kind, []))))) for kind, places in had.items()]
    if np.prod([len(choice) for choice in choices]) > 3000:
        return
    sizes = [flood(found.size, [end for part in chosen for end in part]) for chosen in product(*choices)]
    certain = [end for choice in choices if len(choice) == 1 for end in choice[0]]
    seams = right_seams(found, truth)
    size = flood(found.size, seams.ends[seams.right])
    assert flood(found.size, certain) <= size <= max(sizes)
    assert size in sizes


def black_plane():
    """98 of 196 pieces are equal and black: a chess board whose (0, 1) is black too, which makes three black seams."""
    label = np.arange(196).reshape(14, 14) + 1
    label[np.indices((14, 14)).sum(axis=0) % 2 == 0] = 0
    label[0, 1], label[13, 13] = 0, 2
    return label


def test_black_pieces_laid_together_are_not_neighbours():
    """Without information: all black pieces first, then the others in random order."""
    label = black_plane()
    assert (label == 0).sum() == 98
    black = sum(len(places) for kind, places in kinds(label).items() if kind[1:] == (0, 0))
    order = np.random.default_rng(0).permutation(196)
    order = order[np.argsort(label.ravel()[order] > 0, kind='stable')]
    score = Places.calculate(order.reshape(14, 14), np.arange(196), (14, 14), label.ravel())
    assert black == 3
    assert score['neighbour'] == 17 / 364  # three black seams, and the row of 14 below black, as each is in the truth
    assert score['component'] < 0.05
    truth = Places.calculate(np.arange(196).reshape(14, 14), np.arange(196), (14, 14), label.ravel())
    assert (truth['neighbour'], truth['component'], truth['perfect']) == (1, 1, 1)


@pytest.mark.parametrize('first', [0, 1])
def test_a_disputed_seam_goes_to_the_larger_group(first):
    """One seam of black and black in the truth, two in the grid: that beside what is right counts."""
    truth = np.array([[1, 0, 0, 2]])
    whole, alone = [1, 0, 0, 2], [-1, 0, 0, -1]
    found = np.array([whole, [-1] * 4, alone] if first else [alone, [-1] * 4, whole])
    seams = right_seams(found, truth)
    assert seams.right.sum() == 3
    assert flood(found.size, seams.ends[seams.right]) == 4
