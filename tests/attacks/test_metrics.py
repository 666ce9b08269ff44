"""Figures of places, neighbours and likeness against slow oracles; chance, floors and summaries."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hii_mm.attacks.evaluation.chance import chance
from hii_mm.attacks.evaluation.likeness import Likeness, floors
from hii_mm.attacks.evaluation.places import Places, turned_classes
from hii_mm.attacks.evaluation.retrieval import Retrieval
from hii_mm.attacks.evaluation.summary import summary
from hii_mm.attacks.solver.pieces import classes, cut
from hii_mm.encryption import ShuffleParams
from hii_mm.encryption.turns import inverse, turn


def multiset(grid):
    """Count the directed adjacencies of each kind, place by place in plain Python."""
    u, v = len(grid), len(grid[0])
    kinds = [('right', grid[y][x], grid[y][x + 1]) for y in range(u) for x in range(v - 1)]
    kinds += [('down', grid[y][x], grid[y + 1][x]) for y in range(u - 1) for x in range(v)]
    return Counter(kind for kind in kinds if min(kind[1:]) >= 0)


def oracle(places, permutation, shape, same):
    """Direct and neighbour, place by place in plain Python."""
    (u, v), (a, b) = shape, places.shape
    truth = [[-1] * v for _ in range(u)]
    for piece, patch in enumerate(permutation):
        truth[patch // v][patch % v] = int(same[piece])
    found = [[int(same[k]) if k >= 0 else -1 for k in row] for row in places]
    direct = 0
    for dy in range(-a, u):
        for dx in range(-b, v):
            hits = 0
            for y in range(a):
                for x in range(b):
                    if 0 <= y + dy < u and 0 <= x + dx < v and found[y][x] >= 0:
                        hits += found[y][x] == truth[y + dy][x + dx]
            direct = max(direct, hits)
    count = sum((multiset(found) & multiset(truth)).values())
    return direct / len(permutation), count / max(1, 2 * u * v - u - v)


@st.composite
def cases(draw):
    u, v = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kept = draw(st.integers(1, u * v))
    permutation = rng.permutation(u * v)[:kept]
    places = np.full(u * v, -1)
    places[permutation] = np.arange(kept)
    swap = rng.permutation(u * v)[: draw(st.integers(0, u * v))]
    places[swap] = rng.permutation(places[swap])
    same = np.minimum(np.arange(kept), draw(st.integers(0, kept)))
    return np.roll(places.reshape(u, v), draw(st.integers(0, 3)), draw(st.integers(0, 1))), permutation, (u, v), same


@settings(max_examples=200, deadline=None)
@given(cases())
def test_places_agree_with_the_oracle(case):
    places, permutation, shape, same = case
    score = Places.calculate(places, permutation, shape, same)
    direct, neighbour = oracle(places, permutation, shape, same)
    assert score['direct'] == pytest.approx(direct)
    assert score['neighbour'] == pytest.approx(neighbour)
    assert 0 <= score['component'] <= 1
    assert score['perfect'] == (score['direct'] == 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10**6), st.sampled_from([0.0, 0.4]))
def test_the_truth_is_perfect_wherever_it_lies(u, v, seed, drop):
    plan = ShuffleParams(4, drop_ratio=drop).plan((u * 4, v * 4), np.random.default_rng(seed))
    places = np.full(u * v, -1)
    places[plan.permutation] = np.arange(plan.permutation.size)
    wide = np.full((u + 2, v + 3), -1)
    wide[1 : u + 1, 2 : v + 2] = places.reshape(u, v)
    score = Places.calculate(wide, plan.permutation, (u, v))
    assert (score['direct'], score['perfect']) == (1, 1)
    assert score['surviving'] == 1 or np.isnan(score['surviving'])
    if not drop:
        assert (score['neighbour'], score['component']) == (1, 1)


@pytest.mark.parametrize('code', range(8))
def test_a_picture_that_is_turned_as_a_whole_counts_as_right(code):
    plain = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    plan = ShuffleParams(8, orient=True).plan(plain.shape, np.random.default_rng(code))
    whole = turn(plain[None], code)[0]
    target = cut(np.ascontiguousarray(whole), (whole.shape[0] // 8, whole.shape[1] // 8))
    pieces = cut(plan.apply(plain), plan.shape)
    places, turns = np.empty(24, int), np.empty(24, int)
    for place, want in enumerate(target):
        hits = [(k, c) for k in range(24) for c in range(8) if (turn(pieces[k][None], c)[0] == want).all()]
        places[place], turns[place] = hits[0]
    grid = (whole.shape[0] // 8, whole.shape[1] // 8)
    found = places.reshape(grid), turns.reshape(grid)
    assert Places.turned(*found, plan.permutation, plan.orientation, plan.grid.shape)['perfect'] == 1
    wrong = found[0], (found[1] + 4) % 8
    assert Places.turned(*wrong, plan.permutation, plan.orientation, plan.grid.shape)['direct'] < 0.5


def test_a_translation_costs_direct_nothing_and_one_swap_costs_two_pieces():
    permutation, places = np.arange(25), np.arange(25).reshape(5, 5)
    shifted = np.roll(places, 1, axis=1)
    assert Places.calculate(shifted, permutation, (5, 5))['direct'] == 20 / 25
    swapped = places.copy()
    swapped[0, 0], swapped[4, 4] = 24, 0
    score = Places.calculate(swapped, permutation, (5, 5))
    assert (score['direct'], score['neighbour']) == (23 / 25, 36 / 40)
    assert score['component'] == 23 / 25


def test_equal_pieces_may_stand_for_each_other():
    pieces = np.array([[1, 1], [2, 2], [1, 1], [3, 3]])
    assert classes(pieces).tolist() == [0, 1, 0, 3]
    places = np.array([[2, 1], [0, 3]])
    assert Places.calculate(places, np.arange(4), (2, 2), classes(pieces))['perfect'] == 1
    assert Places.calculate(places, np.arange(4), (2, 2))['perfect'] == 0


def test_retrieval_counts_both_sides_of_a_seam():
    right = np.array([[0, 2, 1], [0, 0, 2], [9, 0, 0]])  # 0 -> 1 -> 2
    assert Retrieval.calculate(right, right, np.arange(3), (1, 3)) == 1
    assert Retrieval.calculate(right.T, right, np.arange(3), (1, 3)) < 1
    assert np.isnan(Retrieval.calculate(np.eye(1), np.eye(1), np.arange(1), (1, 1)))


def test_likeness_agrees_with_scikit_image_and_is_finite(photo):
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    other = np.ascontiguousarray(photo[::-1])
    got = Likeness.calculate(photo, other)
    assert got['psnr'] == pytest.approx(peak_signal_noise_ratio(photo, other))
    assert got['ssim'] == pytest.approx(structural_similarity(photo, other, channel_axis=2))
    assert Likeness.calculate(photo, photo) == {'psnr': 100, 'ssim': 1}
    for plain in (np.zeros((32, 32), np.uint8), np.zeros((2, 2, 3), np.uint8), np.zeros((1, 40, 3), np.uint8)):
        found = floors(plain, np.zeros((5, 7, 3), np.uint8), (16, 16))
        assert all(np.isfinite(value) for likeness in found.values() for value in likeness.values())


def test_floors_rise_from_the_mean_colour_to_the_mosaic(photo):
    plan = ShuffleParams(16).plan(photo.shape, np.random.default_rng(0))
    found = floors(photo, plan.apply(photo), (16, 16))
    assert found['encrypted']['psnr'] < found['mean colour']['psnr'] < found['mosaic']['psnr']


def test_a_summary_has_mean_worst_decile_and_interval():
    values = [0.0] * 90 + [1.0] * 10
    found = summary([*values, float('nan'), None])
    assert (found['count'], found['mean'], found['worst_decile']) == (100, pytest.approx(0.1), 1)
    assert 0.03 < found['low'] < 0.1 < found['high'] < 0.18
    assert summary(values) == summary(values)  # the same draws each time
    assert summary([])['mean'] is None


def noise(seed, shape=(64, 64)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def turned_truth(plan):
    """Places and turns that undo a plan."""
    places, turns = np.empty(plan.grid.shape, int), np.empty(plan.grid.shape, int)
    places.ravel()[plan.permutation] = np.arange(plan.permutation.size)
    turns.ravel()[plan.permutation] = inverse(plan.orientation)
    return places, turns


@pytest.mark.parametrize('patch', [16, (16, 32)])
def test_a_black_picture_is_whole_however_its_pieces_are_turned(patch):
    plan = ShuffleParams(patch, orient=True).plan((64, 64), np.random.default_rng(0))
    same = turned_classes(cut(np.zeros((64, 64, 3), np.uint8), plan.shape))
    places = np.arange(plan.permutation.size).reshape(plan.shape)
    found = Places.of_plan(places, None, plan, same)
    assert (found['neighbour'], found['perfect']) == (1, 1)


def test_a_turn_counts_if_it_shows_the_right_pixels():
    plain = noise(0)
    plain[:16, :16] = np.minimum(plain[:16, :16], plain[:16, :16][:, ::-1])  # the first patch is its own mirror
    plan = ShuffleParams(16, orient=True).plan(plain.shape, np.random.default_rng(3))
    pieces = cut(plan.apply(plain), plan.shape)
    places, turns = turned_truth(plan)
    same = turned_classes(pieces)
    assert Places.of_plan(places, turns, plan, same)['perfect'] == 1
    right = [code for code in range(8) if (turn(pieces[places[0, 0]][None], code)[0] == plain[:16, :16]).all()]
    assert len(right) == 2
    for code in range(8):
        turns[0, 0] = code
        assert Places.of_plan(places, turns, plan, same)['perfect'] == (code in right)


def test_pieces_that_are_equal_up_to_a_turn_stand_for_each_other():
    plain = noise(0)
    plain[:16, 16:32] = np.rot90(plain[:16, :16])
    plan = ShuffleParams(16, orient=True).plan(plain.shape, np.random.default_rng(0))
    places, turns = turned_truth(plan)
    pieces = cut(plan.apply(plain), plan.shape)
    same = turned_classes(pieces)
    swapped, codes = places.copy(), turns.copy()
    swapped[0, :2] = places[0, 1::-1]
    for x in range(2):
        shown = [turn(pieces[swapped[0, x]][None], code)[0] for code in range(8)]
        codes[0, x] = next(c for c in range(8) if (shown[c] == plain[:16, 16 * x : 16 * x + 16]).all())
    assert Places.of_plan(swapped, codes, plan, same)['perfect'] == 1
    assert Places.of_plan(swapped, codes, plan)['perfect'] == 0
    assert Places.of_plan(swapped, (codes + 2) % 4, plan, same)['perfect'] == 0


def test_an_interval_is_over_images_and_not_over_runs():
    values, names = [0.0] * 20 + [1.0] * 20, ['a'] * 20 + ['b'] * 20
    found = summary(values, images=names)
    assert (found['mean'], found['count'], found['images']) == (0.5, 40, 2)
    assert (found['low'], found['high']) == (0, 1)
    alone = summary(values)
    assert (alone['images'], alone['low'] > 0.2) == (40, True)
    assert summary([None, 1.0], images=['a', 'b'])['images'] == 1
    assert summary([])['images'] == 0


@pytest.mark.parametrize('params', [dict(), dict(window=2), dict(drop_ratio=0.5), dict(orient=True)])
def test_chance_is_what_pieces_score_as_they_lie(params):
    """Each figure agrees with that of encrypted images as they are, over many plans."""
    params, scores = ShuffleParams(16, **params), []
    found = chance(params, params.plan((128, 128), np.random.default_rng(0)))
    for seed in range(1000, 1200):
        other = params.plan((128, 128), np.random.default_rng(seed))
        scores.append(Places.of_plan(np.arange(other.permutation.size).reshape(other.shape), None, other))
    for name, value in found.items():
        assert value == pytest.approx(np.mean([score[name] for score in scores]), abs=0.02)
    assert set(found) == {'direct', 'neighbour', 'surviving', 'component', 'perfect'}
    if params.window:
        assert found['neighbour'] > 5 / 64


def test_chance_is_higher_with_equal_pieces():
    params = ShuffleParams(16)
    plan = params.plan((64, 64), np.random.default_rng(0))
    assert chance(params, plan, classes(np.zeros((16, 1))))['neighbour'] == 1
