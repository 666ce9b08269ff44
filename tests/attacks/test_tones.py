"""Attacks on pieces of any tone: what tone cannot change, tones that are solved together, and what still comes back."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_t

from helpers.attacks import attack_places
from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.evaluation.cases import Case
from hii_mm.attacks.evaluation.ceilings import true_picture, true_places
from hii_mm.attacks.solver import looks, seam_fitting, tone_measures, tones
from hii_mm.attacks.solver.pieces import cut
from hii_mm.attacks.solver.seam_files import SHIPPED, setting_of
from hii_mm.attacks.solver.seams import SeamModel, seam_model
from hii_mm.attacks.solver.student import StudentT
from hii_mm.attacks.solver.tone_solving import solved
from hii_mm.attacks.solver.tone_windows import COLOUR, GREY, ToneWindow, level_free, log_ratio
from hii_mm.attacks.solver.values import with_tone
from hii_mm.errors import AttackRefusedError, CheckpointError, InvalidValueError

TONED = Scheme(16, tone=True)


def rng(seed=0):
    return np.random.default_rng(seed)


def cores(seed, count=20, side=6, top=256):
    return rng(seed).integers(0, top, (count, side, side, 3)).astype(np.float32)


def smooth(side=96):
    """A smooth picture without a flat patch whose colours vary together, (side, side, 3) uint8."""
    y, x = np.indices((side, side)) / side
    grey = np.sin(17 * x + 3 * y) + np.cos(13 * y - 2 * x)
    return np.stack([128 + 60 * grey, 120 + 42 * grey + 6 * x, 110 + 28 * grey + 9 * y], axis=-1).astype(np.uint8)


def correlation(a, b):
    return np.corrcoef(a.astype(float).mean(axis=2).ravel(), b.astype(float).mean(axis=2).ravel())[0, 1]


# what tone cannot change


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(60, 255), st.integers(4, 7))
def test_what_is_left_of_a_piece_is_the_same_for_all_tones(seed, top, side):
    pieces = cores(seed, 8, side, top)
    first, second = (with_tone(pieces, rng(k)) for k in (1, 2))
    assert not np.allclose(first, second)
    far = np.abs(tones.forms(first) - tones.forms(second)).max(axis=(1, 2, 3))
    assert np.mean(far < 0.01) >= 7 / 8  # of two contrasts that are equal either one may come first


def test_states_form_a_group():
    colours = rng(1).normal(size=3)
    for first, second in itertools.product(range(tones.STATES), repeat=2):
        a, b = np.array(first), np.array(second)
        there = tones.through(tones.through(colours, b), a)
        np.testing.assert_allclose(tones.through(colours, tones.composed(a, b)), there)
        np.testing.assert_allclose(tones.through(tones.through(colours, a), tones.backward(a)), colours)
    assert len({tuple(tones.through(colours, np.array(k))) for k in range(tones.STATES)}) == tones.STATES


@pytest.mark.parametrize('seed', range(4))
def test_the_best_state_of_a_pair_is_how_the_tones_of_their_forms_differ(seed):
    """The mirror image of a piece goes on where it ends: in the right state the levels on both sides are the same."""
    left = cut(smooth().astype(np.float32), (6, 6))
    toned = with_tone(left, rng(seed)), with_tone(np.ascontiguousarray(left[:, :, ::-1]), rng(seed + 9))
    pairs = np.arange(36), np.arange(36)
    state = seam_model(TONED).states(*toned)[:, pairs[0], pairs[1]].argmax(axis=0)
    one, two = (tones.bare(each).pieces for each in toned)
    ends = one[:, :, -1], tones.through(two[:, :, 0], state[:, None])
    misses = np.abs(np.subtract(*ends)).mean(axis=(1, 2))
    every = [
        np.abs(ends[0] - tones.through(two[:, :, 0], np.full((36, 1), k))).mean((1, 2)) for k in range(tones.STATES)
    ]
    assert np.mean(misses <= np.min(every, axis=0) + 2) > 0.8
    assert np.mean(misses <= np.max(every, axis=0) - 2) > 0.8


@pytest.mark.parametrize('window', [ToneWindow(1, 4, False, GREY), ToneWindow(2, 2, False, COLOUR)])
def test_the_log_ratio_is_that_of_both_halves_together_and_alone(window):
    left, right = rng(1).uniform(-80, 80, (2, 3, 4, 5, 3)).astype(np.float32)
    basis = level_free(window)
    root = rng(3).normal(size=(len(basis), len(basis))) * 30
    scatter, half = root @ root.T + 900 * np.eye(len(basis)), len(basis) // 2
    law = multivariate_t(np.zeros(len(basis)), scatter, 2.0)
    precision = basis.T @ np.linalg.inv(scatter) @ basis
    density = StudentT(np.zeros(window.size, np.float32), precision, 2.0, law.logpdf(np.zeros(len(basis))), len(basis))
    found = log_ratio(left, right, window, density)
    alone = [multivariate_t(np.zeros(half), scatter[k, k], 2.0) for k in (np.s_[:half], np.s_[half:])]
    colours = [left.mean(axis=3, keepdims=True), right.mean(axis=3, keepdims=True)]
    one, two = colours if window.kind == GREY else (left, right)
    for a, b, sign in itertools.product(range(one.shape[3]), range(two.shape[3]), (0, 1)):
        expected = 0.0
        for row in range(4 - window.rows + 1):
            rows = slice(row, row + window.rows)
            ends = one[2, rows, -window.columns :, a].T, (1 - 2 * sign) * two[1, rows, : window.columns, b].T
            seen = basis @ np.concatenate([end.ravel() for end in ends])
            expected += law.logpdf(seen) - alone[0].logpdf(seen[:half]) - alone[1].logpdf(seen[half:])
        assert found[a, b, sign, 2, 1] == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_measures_do_not_depend_on_the_tone(scenes):
    pieces = cut(scenes['chelsea'].astype(np.float32), (14, 14))[60:100]
    model = seam_model(TONED)
    one, two = (model.measures(with_tone(pieces, rng(k)), with_tone(pieces, rng(k + 9))) for k in (1, 2))
    assert np.mean(np.abs(one - two) < 0.05) > 0.97  # but for ties of contrast
    plain = seam_model(Scheme(16))
    assert (
        np.mean(np.abs(plain.measures(with_tone(pieces, rng(1)), pieces) - plain.measures(pieces, pieces)) < 0.05) < 0.5
    )


# models


def test_a_model_of_tone_is_fitted_kept_and_told_from_others(scenes, monkeypatch, tmp_path):
    for name, value in dict(CROPS=4, SAMPLES=400, ENTRIES=20_000, MOST=8).items():
        monkeypatch.setattr(seam_fitting, name, value)
    scheme = Scheme((16, 8), gap=1, tone=True)
    model = SeamModel.fit([scenes['coffee'], scenes['rocket']], scheme)
    model.save(tmp_path / 'x.npz')
    again = SeamModel.load(tmp_path / 'x.npz')
    pieces = cores(1, 9, 14)[:, :, :6]
    np.testing.assert_array_equal(again.measures(pieces, pieces), model.measures(pieces, pieces))
    assert again.toned and again.setting == setting_of(scheme) == 'rs-p16x8-gap1-tone' and len(again.sides) == 2
    assert again.names == model.names and len(again.names) == len(again.measures(pieces, pieces))
    chances = np.exp(again.states(pieces))
    assert chances.shape == (12, 9, 9)
    np.testing.assert_allclose(chances.sum(axis=0), 1, rtol=1e-4)


def test_what_is_no_model_of_tone_is_refused(tmp_path):
    plain = seam_model(Scheme(16))
    assert not plain.toned
    with pytest.raises(InvalidValueError, match='without tone: rs-p16-gap0'):
        plain.states(cores(1, 3, 16))
    with pytest.raises(AttackRefusedError, match='1 x 1 show nothing but their level'):
        tone_measures.windows(1, 1)
    assert len(tone_measures.windows(1, 3)) == len(set(tone_measures.windows(1, 3))) > 1
    with np.load(SHIPPED / 'seams-rs-p16-gap0-tone.npz') as file:
        whole = {name: file[name] for name in file.files}
    whole['0.windows'][:, 3] = 7
    np.savez(tmp_path / 'x.npz', **whole)
    with pytest.raises(CheckpointError, match='kinds'):
        SeamModel.load(tmp_path / 'x.npz')


# tones that are solved together


@pytest.mark.parametrize('scheme', [TONED, Scheme(16, gap=1, tone=True), Scheme(16, orient=True, tone=True)])
def test_at_their_true_places_pieces_get_one_tone(scheme):
    plain = smooth()
    plan = scheme.plan(plain.shape, rng(4))
    encrypted, sh = plan.apply(plain), plan.shuffle
    pieces, (places, turns) = cut(encrypted.astype(np.float32), sh.shape), true_places(sh)
    found = solved(pieces, places, turns, seam_model(Scheme(16, gap=scheme.shuffle.gap, tone=True)))
    bare = sh.tone
    bare.invert(encrypted, sh.shape)
    truth = cut(encrypted.astype(np.float32), sh.shape)
    assert abs(correlation(found.reshape(-1, 1, 3), truth.reshape(-1, 1, 3))) > 0.97
    assert abs(correlation(pieces.reshape(-1, 1, 3), truth.reshape(-1, 1, 3))) < 0.5


def test_places_without_a_piece_and_pieces_without_a_place_do_not_stop_it():
    pieces, model = cores(3, 9, 16), seam_model(TONED)
    for places in (np.full((3, 3), -1), np.array([[0, -1, 3], [-1, 4, -1], [7, -1, -1]])):
        found = solved(pieces, places, None, model)
        assert found.shape == pieces.shape and np.isfinite(found).all()
        np.testing.assert_allclose(found.std(axis=(1, 2)).sum(), pieces.std(axis=(1, 2)).sum(), rtol=1e-4)


def test_a_sky_is_put_above_and_blue_whatever_the_order_of_the_colours_and_the_direction():
    cells = np.argwhere(np.ones((14, 14), bool))
    sky = np.stack([200 - 4 * cells[:, 0], 200 - 6 * cells[:, 0], 230 - 12 * cells[:, 0]], axis=1)  # a blue sky above
    picture = sky[:, None, None] + rng().normal(0, 3, (196, 2, 2, 1)) + 40.0
    for order in tones.ORDERS:
        for sign in (1, -1):
            found = looks.likeliest(sign * picture[..., order] + np.array([90, -30, 10]), cells)
            np.testing.assert_allclose(
                found - found.mean(axis=(0, 1, 2)), picture - picture.mean(axis=(0, 1, 2)), atol=1e-6
            )
            assert found.mean(axis=(0, 1, 2)) == pytest.approx(looks.MIDDLE)


# attacks


def test_photographs_come_back_from_tone_without_a_gap(scenes):
    score = attack_places('jigsaw', scenes['coffee'], TONED, rng(), effort=0)
    assert score['neighbour'] > 0.5  # chance is 0.005


def test_noise_scores_chance():
    noise = rng().integers(0, 256, (224, 224, 3), dtype=np.uint8)
    assert attack_places('jigsaw', noise, TONED, rng(), effort=0)['neighbour'] < 0.03


def test_the_recovered_picture_is_more_like_the_photo_than_the_pieces_as_they_lie(scenes):
    plain = scenes['motorcycle_left']
    plan = TONED.plan(plain.shape, rng(1))
    found = make('jigsaw', effort=0).recover(plan.apply(plain), TONED, Given((224, 224)))
    assert found.image.shape == found.raw.shape == plain.shape
    assert abs(correlation(found.image, plain)) > abs(correlation(found.raw, plain)) + 0.1


def test_the_ceiling_has_the_true_tone(scenes):
    plain = scenes['rocket']
    plan = TONED.plan(plain.shape, rng(1))
    case = Case('rocket', 0, TONED, plan.apply(plain), plain, plan)
    np.testing.assert_array_equal(true_picture(case), plain)


@pytest.mark.parametrize('scheme', [TONED, Scheme(16, gap=3, drop_ratio=0.5, orient=True, tone=True)])
def test_tone_does_not_hide_which_photo_it_is(scenes, scheme):
    candidates = tuple(scenes.values())
    for truth in range(0, len(candidates), 5):
        encrypted = scheme.plan((224, 224), rng(truth)).apply(candidates[truth])
        found = make('linkage').recover(encrypted, scheme, Given((224, 224), candidates=candidates))
        assert found.ranking[0] == truth


def test_tone_does_not_hide_a_permutation_that_is_used_twice(scenes):
    plain, victim = scenes['astronaut'], scenes['coffee']
    plan = TONED.plan(plain.shape, rng(3))
    pair = plain, plan.apply(plain)
    found = make('known-plaintext').recover(plan.apply(victim), TONED, Given((224, 224), pairs=(pair,)))
    assert (found.places == plan.shuffle.places.reshape(14, 14)).mean() > 0.95
