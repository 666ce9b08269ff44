"""The jigsaw reassembles photographs, and finds nothing in noise; identity is the floor."""

import numpy as np
import pytest

from helpers.attacks import attack_places
from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.evaluation.likeness import Likeness

EASY = ['chelsea', 'coffee', 'motorcycle_left', 'rocket']


def rng(seed=0):
    return np.random.default_rng(seed)


def mean(scores, metric):
    return np.mean([score[metric] for score in scores])


@pytest.mark.parametrize(
    'given, metric, least',
    [
        (dict(), 'direct', 0.98),
        (dict(), 'neighbour', 0.98),
        (dict(gap=1), 'neighbour', 0.6),
        (dict(gap=2), 'neighbour', 0.3),
        (dict(drop_ratio=0.25), 'surviving', 0.85),
        (dict(window=4), 'direct', 0.98),
    ],
)
def test_photographs_are_reassembled(scenes, given, metric, least):
    scores = [attack_places('jigsaw', scenes[name], Scheme(16, **given), rng()) for name in EASY]
    assert mean(scores, metric) >= least


def test_turned_pieces_are_turned_back(scenes):
    scores = [attack_places('jigsaw', scenes[name], Scheme(16, orient=True), rng()) for name in EASY[:2]]
    assert mean(scores, 'direct') >= 0.95


def test_oblong_turned_pieces_are_turned_back(scenes):
    score = attack_places('jigsaw', scenes['coffee'][:208], Scheme((16, 32), orient=True), rng())
    assert score['direct'] >= 0.9


def test_mixed_pieces_are_reassembled_and_unmixed(scenes):
    scheme, plain = Scheme(16, strategy='both'), scenes['coffee']
    encrypted = scheme.plan(plain.shape, rng()).apply(plain)
    found = make('jigsaw').recover(encrypted, scheme, Given(plain.shape[:2]))
    assert found.image.shape == plain.shape
    assert np.mean([attack_places('jigsaw', scenes[name], scheme, rng())['neighbour'] for name in EASY]) > 0.1
    blank = make('identity').recover(encrypted, scheme, Given(plain.shape[:2]))
    assert Likeness.calculate(plain, found.image)['psnr'] > Likeness.calculate(plain, blank.image)['psnr']


@pytest.mark.parametrize('plain_shape', [(224, 224), None])
def test_the_picture_comes_back_pixel_for_pixel(scenes, plain_shape):
    plain, scheme = scenes['chelsea'], Scheme(16)
    encrypted = scheme.plan(plain.shape, rng()).apply(plain)
    np.testing.assert_array_equal(make('jigsaw').recover(encrypted, scheme, Given(plain_shape)).image, plain)


def test_scores_rank_true_neighbours_and_turned_pieces_have_none(scenes):
    plain, scheme = scenes['chelsea'], Scheme(16)
    plan = scheme.plan(plain.shape, rng())
    right, down = make('jigsaw').recover(plan.apply(plain), scheme).scores
    assert right.shape == down.shape == (196, 196)
    places = plan.shuffle.places.reshape(14, 14)
    assert np.mean(right[places[:, :-1]].argmax(axis=-1) == places[:, 1:]) > 0.9
    assert np.mean(down[places[:-1]].argmax(axis=-1) == places[1:]) > 0.9
    turned = Scheme(32, orient=True)
    assert make('jigsaw').recover(turned.plan(plain.shape, rng()).apply(plain), turned).scores is None


def test_identity_scores_the_floor(scenes):
    scores = [attack_places('identity', photo, Scheme(16), rng(seed)) for seed, photo in enumerate(scenes.values())]
    assert mean(scores, 'direct') < 0.06  # the best of all translations of chance
    assert mean(scores, 'neighbour') < 0.05


def test_noise_scores_chance():
    scores = []
    for seed in range(4):
        noise = rng(seed).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        scores.append(attack_places('jigsaw', noise, Scheme(16), rng(seed)))
    assert mean(scores, 'neighbour') < 0.03  # chance is 0.005
    assert mean(scores, 'direct') < 0.06


def test_a_nan_pixel_does_not_stop_it(scenes):
    image = scenes['coffee'].astype(np.float32)
    image[5, 5] = np.nan
    scheme = Scheme(16)
    encrypted = scheme.plan(image.shape, rng()).apply(image)
    assert np.isfinite(make('jigsaw').recover(encrypted, scheme).confidence)
