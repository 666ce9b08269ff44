"""Loops, moves, samples and assembly, against slow oracles and planted pictures."""

from functools import partial
from itertools import permutations

import numpy as np
import pytest

from hii_mm.attacks.solver import moves
from hii_mm.attacks.solver.annealing import Annealer, Marginals, seams
from hii_mm.attacks.solver.assembly import Assembler, value
from hii_mm.attacks.solver.greedy import Greedy
from hii_mm.attacks.solver.growth import NONE
from hii_mm.attacks.solver.loops import LOST, consistent, normalised
from hii_mm.attacks.solver.packing import pack
from hii_mm.attacks.solver.regrowth import regrown, segments

CASES = [(1, 0, (5, 6)), (2, 0, (5, 6)), (1, 7, (5, 6)), (4, 7, (2, 9)), (1, 0, (1, 9)), (1, 2, (9, 1)), (1, 0, (2, 2))]


def neighbours(grid):
    """List (axis, item, item beside it) of a grid, with empty places."""
    rows, cols = grid.shape
    across = [(0, grid[y, x], grid[y, x + 1]) for y in range(rows) for x in range(cols - 1)]
    return across + [(1, grid[y, x], grid[y + 1, x]) for y in range(rows - 1) for x in range(cols)]


def total(grid, right, down):
    """Sum max(score, -12) + 7 over the seams with two items, one by one."""
    return sum(max(-12, (right, down)[axis][a, b]) + 7 for axis, a, b in neighbours(grid) if a >= 0 and b >= 0)


def random_case(twins, empty, shape, seed=0):
    """Return random scores, and a random grid with empty places."""
    rng, size = np.random.default_rng(seed), shape[0] * shape[1]
    pieces = size - empty
    grid = np.full(size, -1)
    grid[rng.permutation(size)[:pieces]] = np.arange(pieces) * twins
    scores = rng.normal(-6, 4, (2, pieces * twins, pieces * twins)).astype(np.float32)
    return scores[0], scores[1], grid.reshape(shape)


def planted(shape, lift, seed=0, kept=None, twins=1):
    """Return noisy scores of a picture, and its grid: true neighbours have scores that are higher by ``lift``."""
    rng, size = np.random.default_rng(seed), shape[0] * shape[1]
    kept = size if kept is None else kept
    truth = np.full(size, -1)
    truth[rng.permutation(size)[:kept]] = np.arange(kept) * twins
    truth, tables = truth.reshape(shape), []
    for axis in (0, 1):
        fit = rng.normal(0, 1, (kept * twins, kept * twins))
        pairs = [(a, b) for side, a, b in neighbours(truth) if side == axis and a >= 0 and b >= 0]
        fit[tuple(np.array(pairs, int).reshape(-1, 2).T)] += lift
        fit *= lift  # the log-likelihood ratio of two normal distributions
        same = np.arange(len(fit)) // twins
        fit[same[:, None] == same] = -np.inf
        share = np.exp(fit - fit.max(1, keepdims=True))
        back = np.exp(fit - fit.max(0, keepdims=True))
        with np.errstate(divide='ignore'):
            tables.append(np.log(share / share.sum(1, keepdims=True)) + np.log(back / back.sum(0, keepdims=True)))
    return tables[0].astype(np.float32), tables[1].astype(np.float32), truth


def right_share(grid, truth):
    """Return the share of the true neighbours that a grid has."""
    want = {seam for seam in neighbours(truth) if min(seam[1:]) >= 0}
    return len(want & set(neighbours(grid))) / len(want)


@pytest.mark.parametrize('twins, empty, shape', CASES)
def test_value_is_the_sum_over_the_seams(twins, empty, shape):
    right, down, grid = random_case(twins, empty, shape)
    assert value(grid, right, down) == pytest.approx(total(grid, right, down), abs=1e-3)
    assert Assembler(right, down, shape, twins).value(grid) == value(grid, right, down)
    assert sum(len(a) for a, _, _ in seams(grid)) == sum(a >= 0 and b >= 0 for _, a, b in neighbours(grid))


def test_loops_add_all_ways_around():
    rng, n, weight = np.random.default_rng(0), 5, 0.7
    right, down = rng.normal(-3, 2, (2, n, n)).astype(np.float32)
    right[range(n), range(n)] = -np.inf
    r, d = normalised(np.maximum(right, -14)), normalised(np.maximum(down, -14))
    found = consistent(right, down, rounds=1, weight=weight)
    assert np.isneginf(found[0].diagonal()).all()
    for i in range(n):
        for j in range(n):
            ways = np.zeros(4)
            for a in range(n):
                for b in range(n):
                    ways[0] += d[i, a] * r[a, b] * d[j, b]  # down, right, up
                    ways[1] += d[a, i] * r[a, b] * d[b, j]  # up, right, down
                    ways[2] += r[i, a] * d[a, b] * r[j, b]  # right, down, left
                    ways[3] += r[a, i] * d[a, b] * r[b, j]  # left, down, right
            log = np.log(1 + ways * n / LOST)
            if i != j:
                assert found[0][i, j] == pytest.approx(right[i, j] + weight * (log[0] + log[1]), abs=1e-3)
            assert found[1][i, j] == pytest.approx(down[i, j] + weight * (log[2] + log[3]), abs=1e-3)


def test_likely_neighbours_alone_carry_the_loops_of_many_items(monkeypatch):
    right, down, truth = planted((6, 6), 4.0)
    dense = consistent(right, down, rounds=2)
    monkeypatch.setattr('hii_mm.attacks.solver.loops.DENSE', 8)
    sparse = consistent(right, down, rounds=2)
    for axis, a, b in neighbours(truth):
        assert sparse[axis][a, b] == pytest.approx(dense[axis][a, b], abs=0.2)


def test_no_round_of_loops_changes_nothing():
    right, down, _ = planted((3, 3), 3.0)
    found = consistent(right, down, rounds=0)
    assert all((a == np.where(np.isfinite(b), np.maximum(b, -14), b)).all() for a, b in zip(found, (right, down)))


@pytest.mark.parametrize('twins, empty, shape', CASES)
@pytest.mark.parametrize('blocks', [0.0, 0.5, 1.0])
def test_the_gains_of_moves_add_up_to_the_value(twins, empty, shape, blocks):
    right, down, grid = random_case(twins, empty, shape)
    annealer = Annealer(right, down, twins)
    board = annealer.board(grid)
    spare = np.zeros((2, len(right) + 1, len(right) + 1), np.float32)
    _, gain = moves.anneal(board, 3000, 3.0, twins, blocks, 0.3, 1000, *spare, 3)
    found = annealer.grid(board.grid, shape)
    assert total(found, right, down) - total(grid, right, down) == pytest.approx(gain, abs=1e-2)
    assert sorted(found[found >= 0] // twins) == list(range(len(right) // twins))  # each piece once
    assert (found != grid).any()
    for piece, place in enumerate(board.where):
        assert board.grid[place] // twins == piece


def test_samples_follow_the_posterior():
    right, down, grid = random_case(1, 0, (2, 2), seed=1)
    right, down, heat = right / 4, down / 4, 1.0
    weights = {}
    for order in permutations(range(4)):
        weights[order] = np.exp(total(np.reshape(order, (2, 2)), right, down) / heat)
    want = np.zeros((4, 4))
    for order, weight in weights.items():
        want[order[0], order[1]] += weight / sum(weights.values())
        want[order[2], order[3]] += weight / sum(weights.values())
    beside, below = np.zeros((2, 5, 5), np.float32)
    board = Annealer(right, down).board(grid)
    counts, _ = moves.anneal(board, 400_000, heat, 1, 0.0, 0.0, 4, beside, below, 0)
    np.testing.assert_allclose(beside[:4, :4] / counts, want, atol=0.02)
    _, found = Annealer(right, down).sample(grid, 400_000, heat)
    assert found.right.sum() == pytest.approx(2) and found.down.sum() == pytest.approx(2)


def test_cold_samples_find_the_best_of_all_grids():
    right, down, grid = random_case(1, 0, (2, 3), seed=2)
    best = max(total(np.reshape(order, (2, 3)), right, down) for order in permutations(range(6)))
    annealer, values = Annealer(right, down), []
    for seed in range(20):
        found = grid
        for heat in (5.0, 2.0, 0.5):
            found, _ = annealer.sample(found, 2000, heat, seed)
        values.append(total(found, right, down))
    assert max(values) == pytest.approx(best, abs=1e-3)
    assert np.mean(values) > 0.8 * best


def test_expected_neighbours_are_summed_over_the_seams():
    right, down, grid = random_case(1, 3, (4, 5))
    want = sum((right, down)[axis][a, b] for axis, a, b in neighbours(grid) if a >= 0 and b >= 0)
    assert Marginals(right, down).expected(grid) == pytest.approx(want, abs=1e-3)


def test_search_finds_what_growth_alone_does_not():
    alone, found = [], []
    for seed in range(3):
        right, down, truth = planted((10, 10), 2.6, seed)
        grown = Greedy(right, down, truth.shape).best(partial(value, right=right, down=down))
        alone.append(right_share(grown, truth))
        found.append(right_share(Assembler(right, down, truth.shape).solve(), truth))
    assert np.mean(alone) < 0.6
    assert np.mean(found) > 0.9


def test_joined_parts_beat_growth_where_half_was_dropped():
    grown, found = [], []
    for seed in range(3):
        right, down, truth = planted((10, 10), 3.0, seed, kept=50)
        solver = Assembler(right, down, truth.shape, effort=0.2)
        alone = Greedy(right, down, truth.shape).best(solver.value)
        grown.append(right_share(alone, truth))
        found.append(right_share(solver.solve(), truth))
    assert np.mean(found) > np.mean(grown) + 0.05


def test_growing_again_corrects_growth_where_few_were_dropped():
    once, again = [], []
    for seed in range(4):
        right, down, truth = planted((10, 10), 3.5, seed, kept=80)
        greedy, worth = Greedy(right, down, truth.shape), partial(value, right=right, down=down)
        first = greedy.best(worth, 1)
        found = regrown(greedy, first, worth, 30)
        assert worth(found) >= worth(first)
        assert sorted(found[found >= 0]) == list(range(80))
        once.append(right_share(first, truth))
        again.append(right_share(found, truth))
    assert np.mean(again) > np.mean(once) + 0.1


def test_segments_are_mutually_best_neighbours():
    right, down, truth = planted((6, 6), 9.0)  # certain
    grid = truth.copy()
    grid[:, [2, 4]] = grid[:, [4, 2]]  # two columns change places
    greedy, rng = Greedy(right, down, truth.shape), np.random.default_rng(0)
    label = segments(greedy, grid, 0, rng)
    columns = [set(part) for part in label.T.tolist()]
    assert all(len(part) == 1 for part in columns)  # each column hangs together
    assert columns[0] == columns[1] and len({*map(frozenset, columns)}) == 5
    assert len(np.unique(segments(greedy, grid, 1, rng))) == 36  # all seams are cut
    kept = label == label[0, 0]
    assert (greedy.grow_from(grid, kept) == truth).all()


def test_parts_that_do_not_fit_are_taken_apart():
    rows, cols = np.array([0, 0, 0, 0, 1, 2]), np.array([0, 1, 2, 0, 0, 0])  # a line of three, and one that stands
    joints = np.array([[0, 1], [0, 2], [3, 4], [3, 5]])
    grid = pack(rows, cols, joints, np.zeros((2, 6, 6), np.float32), (2, 3))
    assert sorted(grid.ravel()) == list(range(6))
    assert [0, 1, 2] in grid.tolist()  # only the second part was taken apart


def test_scores_without_information_give_chance():
    shares = []
    for seed in range(3):
        right, down, truth = planted((8, 8), 0.0, seed)
        shares.append(right_share(Assembler(right + 1e-3, down, truth.shape, effort=0.3).solve(), truth))
    assert np.mean(shares) < 0.06


@pytest.mark.parametrize('effort', [0, 0.2])
@pytest.mark.parametrize('kept, twins, shape', [(36, 1, (6, 6)), (27, 1, (6, 6)), (36, 4, (6, 6)), (9, 1, (1, 9))])
def test_clear_pictures_come_back(kept, twins, shape, effort):
    right, down, truth = planted(shape, 6.0, 1, kept, twins)
    solver = Assembler(right, down, shape, twins, effort)
    grid = solver.solve()
    assert grid.shape == shape
    assert right_share(grid, truth) > 0.85
    assert len(set(grid[grid >= 0] // twins)) == (grid >= 0).sum()
    certainty = solver.certainty(grid)
    assert (certainty[grid < 0] == 0).all() and 0.6 < certainty[grid >= 0].mean() <= 1.001


@pytest.mark.parametrize('shape', [(1, 2), (2, 1), (2, 2), (1, 1), (1, 5)])
def test_tiny_grids_hold_every_piece(shape):
    size = shape[0] * shape[1]
    right, down, _ = planted(shape, 3.0) if size > 1 else (np.full((1, 1), -np.inf, np.float32),) * 2 + (None,)
    assert sorted(Assembler(right, down, shape).solve().ravel()) == list(range(size))


def test_a_seed_decides_the_grid():
    right, down, truth = planted((8, 8), 2.0)
    grids = [Assembler(right, down, truth.shape, effort=0.2, seed=seed).solve() for seed in (0, 0, 1)]
    assert (grids[0] == grids[1]).all() and (grids[0] != grids[2]).any()


@pytest.mark.parametrize('effort', [-1, float('nan')])
def test_an_effort_below_zero_is_refused(effort):
    with pytest.raises(ValueError, match='effort must be 0 or more, not'):
        Assembler(np.zeros((4, 4)), np.zeros((4, 4)), (2, 2), effort=effort)


def test_no_piece_is_worth_as_much_as_growth_says():
    grid = np.array([[0, -1], [1, -1]])
    assert value(grid, np.zeros((2, 2)), np.zeros((2, 2))) == -NONE
