"""Pieces, grids, layout, seams and assembly, against plans and slow oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hii_mm import Scheme
from hii_mm.attacks.solver.assembly import Assembler
from hii_mm.attacks.solver.grids import patch_grid, place_shape, plain_grid, plain_size
from hii_mm.attacks.solver.layout import lay_out
from hii_mm.attacks.solver.pieces import (
    all_turns,
    as_rgb,
    as_uint8,
    before_shuffle,
    classes,
    cut,
    plain_cores,
    resized,
    tokens,
    turn_codes,
)
from hii_mm.attacks.solver.seams import posteriors
from hii_mm.attacks.solver.unmixing import descend
from hii_mm.encryption import MixupParams, ShuffleParams
from hii_mm.encryption.turns import inverse, turn


def noise(shape=(64, 64, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


# images and pieces


@pytest.mark.parametrize(
    'image, want',
    [
        (np.array([[0, 255]], np.uint8), [0, 255]),
        (np.array([[0, 65535]], np.uint16), [0, 255]),
        (np.array([[0, 1]], np.float32), [0, 255]),
        (np.array([[0, 2]], np.float32), [0, 2]),
        (np.array([[np.nan, 300]], np.float32), [0, 255]),
        (np.array([[-np.inf, np.inf]], np.float32), [0, 255]),
    ],
)
def test_images_of_any_dtype_become_grey_levels(image, want):
    found = as_rgb(image)
    assert (found.shape, found.dtype) == ((1, 2, 3), np.float32)
    np.testing.assert_array_equal(found[0], np.array(want)[:, None].repeat(3, axis=1))


def test_further_channels_are_left_out():
    image = noise((4, 4, 5))
    np.testing.assert_array_equal(as_uint8(image), image[..., :3])
    np.testing.assert_array_equal(as_uint8(image[..., :2]), image[..., :1].repeat(3, axis=2))
    assert resized(image, (8, 6)).shape == (8, 6, 3)
    assert resized(image[..., :3], (4, 4)).tolist() == image[..., :3].tolist()


def test_pieces_are_cut_row_by_row():
    image = noise((32, 48, 3))
    pieces = cut(image, (2, 3))
    for k in range(6):
        np.testing.assert_array_equal(pieces[k], image[k // 3 * 16 :, k % 3 * 16 :][:16, :16])
    flat = tokens(image, (16, 16))
    np.testing.assert_allclose(flat, pieces.reshape(6, -1) / 127.5 - 1, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_equal_pieces_share_their_lowest_number(values):
    pieces = np.array(values).reshape(-1, 1, 1, 1)
    assert classes(pieces).tolist() == [values.index(value) for value in values]


@pytest.mark.parametrize('params, count', [((16, False), 1), ((16, True), 8), (((16, 8), True), 4)])
def test_all_turns_follow_each_other(params, count):
    shuffle = ShuffleParams(params[0], orient=params[1])
    codes = turn_codes(shuffle)
    pieces = noise((3, *shuffle.patch_size, 3))
    found = all_turns(pieces, codes)
    assert len(codes) == count
    for k in range(3):
        for index, code in enumerate(codes):
            np.testing.assert_array_equal(found[k * count + index], turn(pieces[k][None], code)[0])


@pytest.mark.parametrize('scheme', [Scheme(16, gap=2), Scheme(16, strategy='both', gap=1), Scheme(24, remainder='pad')])
def test_plain_cores_are_the_pieces_in_their_plain_order(scheme):
    plain = noise()
    plan = scheme.plan(plain.shape, np.random.default_rng(0))
    pieces = cut(plan.apply(plain), plan.shuffle.shape)
    cores = plain_cores(before_shuffle(plain, scheme), scheme.shuffle)
    np.testing.assert_array_equal(np.floor(cores + 0.5)[plan.shuffle.permutation], pieces)


# grids


def test_an_encrypted_image_must_hold_two_pieces():
    scheme = Scheme(16, gap=2)
    assert place_shape(scheme, (24, 36, 3)) == (2, 3)
    for shape in ((64, 64), (12, 12), (0, 12)):
        with pytest.raises(ValueError, match=f'{shape[0]} x {shape[1]}.* does not hold two or more pieces of 12 x 12'):
            place_shape(scheme, shape)


@pytest.mark.parametrize(
    'scheme, shape',
    [
        (Scheme(16, gap=1), (64, 96)),
        (Scheme(16, drop_ratio=0.3), (64, 96)),
        (Scheme(24, drop_ratio=0.5, remainder='pad'), (64, 96)),
        (Scheme(16, strategy='both', drop_ratio=0.25), (64, 96)),
        (Scheme.from_steps(MixupParams(16, 2), ShuffleParams(16, drop_ratio=0.4)), (64, 96)),
    ],
)
def test_the_plain_grid_is_that_of_the_plan(scheme, shape):
    plan = scheme.plan(shape, np.random.default_rng(0))
    assert plain_grid(scheme, plan.encrypted_shape, shape) == plan.shuffle.grid.shape
    assert patch_grid(scheme, shape) == plan.shuffle.grid.shape
    assert plain_size(scheme, plan.encrypted_shape, shape) == shape


def test_an_unknown_plain_size_is_guessed_from_the_pieces():
    plan = Scheme(16, drop_ratio=0.5).plan((64, 64), np.random.default_rng(0))
    rows, cols = plain_grid(Scheme(16, drop_ratio=0.5), plan.encrypted_shape)
    assert plan.shuffle.permutation.size <= rows * cols <= 2 * plan.shuffle.permutation.size + cols
    assert plain_size(Scheme(16, strategy='both', gap=1), (24, 36)) == (64, 96)
    assert plain_size(Scheme(16, strategy='mixup'), (32, 48)) == (64, 96)


# layout


@pytest.mark.parametrize('gap', [0, 2])
@pytest.mark.parametrize('patch', [16, (16, 8)])
def test_laying_out_undoes_a_plan(patch, gap):
    plain = noise((64, 48, 3))
    plan = ShuffleParams(patch, gap=gap, orient=True).plan(plain.shape, np.random.default_rng(0))
    encrypted = plan.apply(plain)
    places, turns = plan.places.reshape(plan.grid.shape), np.empty(plan.grid.shape, int)
    turns.ravel()[plan.permutation] = inverse(plan.orientation)
    found = lay_out(cut(encrypted, plan.shape), places, turns, gap, fill=False)
    np.testing.assert_array_equal(found, plan.invert(encrypted))
    filled = lay_out(cut(encrypted, plan.shape), places, turns, gap)
    known = ~plan.missing()
    np.testing.assert_array_equal(filled[known], plain[known])


def test_a_gap_is_interpolated_and_an_empty_place_gets_the_colour_around_it():
    ramp = np.arange(16, dtype=np.float32)[:, None, None].repeat(16, axis=1)
    pieces = cut(ramp, (2, 2))[:, 1:-1, 1:-1]
    found = lay_out(pieces, np.arange(4).reshape(2, 2), gap=1)
    np.testing.assert_allclose(found[1:-1], ramp[1:-1], atol=1e-5)
    empty = lay_out(cut(ramp, (2, 2)), np.array([[0, 1], [2, -1]]))
    # the places beside it are above, with a mean of 3.5, and on the left, with 11.5; the border repeats its own
    np.testing.assert_allclose(empty[8:, 8:], (3.5 + 11.5) / 2, atol=0.1)


# scores and assembly


def test_posteriors_are_log_probabilities_from_both_sides():
    scores = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    itself = (np.arange(6), np.arange(6))
    found = posteriors(scores, itself)
    scores[itself] = -np.inf
    total = np.zeros((6, 6))
    for axis in (0, 1):
        share = np.exp(scores) / np.exp(scores).sum(axis=axis, keepdims=True)
        total += np.log(0.97 * share + 0.03 / 6)
    total[itself] = -np.inf
    np.testing.assert_allclose(found, total, rtol=1e-4)


@pytest.mark.parametrize('kept, twins', [(30, 1), (24, 1), (30, 2)])
def test_certain_scores_are_assembled(kept, twins):
    rows, cols, rng = 5, 6, np.random.default_rng(0)
    permutation = rng.permutation(rows * cols)[:kept]
    truth = np.full(rows * cols, -1)
    truth[permutation] = np.arange(kept) * twins  # the first twin is the right one
    truth = truth.reshape(rows, cols)
    tables = [np.full((kept * twins, kept * twins), -12, np.float32) for _ in range(2)]
    for table, a, b in ((tables[0], truth[:, :-1], truth[:, 1:]), (tables[1], truth[:-1], truth[1:])):
        both = (a >= 0) & (b >= 0)
        table[a[both], b[both]] = -0.1
    solver = Assembler(*tables, (rows, cols), twins)
    grid = solver.solve()
    assert grid.shape == (rows, cols)
    placed = grid[grid >= 0]
    assert len(set(placed // twins)) == len(placed)  # no piece twice
    assert solver.value(grid) >= solver.value(truth) - 1e-3
    if kept == rows * cols:
        np.testing.assert_array_equal(grid, truth)
        assert solver.certainty(grid).min() > 0.9


def test_conjugate_gradients_solve_a_linear_system():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(12, 12))
    matrix = half @ half.T + np.eye(12)
    want = rng.normal(size=(4, 3, 1))

    def pull(image):
        return (matrix @ image.ravel()).reshape(image.shape)

    start = np.zeros_like(want)
    np.testing.assert_allclose(descend(start, pull(want), pull, 60, 1e-20), want, atol=1e-6)
