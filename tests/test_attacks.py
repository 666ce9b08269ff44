"""Every attack succeeds where it should, and finds nothing where there is nothing."""

import io

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from hii_mm.attacks import Given, Setting, attack_names, make
from hii_mm.attacks.base import Attack, register
from hii_mm.attacks.metrics import Likeness, Places, classes
from hii_mm.attacks.mixing import mix, mosaic, spread
from hii_mm.attacks.photos import sample_photos
from hii_mm.attacks.pieces import cut, lay_out, resized, turn
from hii_mm.encryption import MixupParams, ShuffleParams


@pytest.fixture(scope='module')
def photos():
    return sample_photos(224)


def scores(name, plain, params, seed=0, given=None):
    """Metrics of an attack on one image."""
    setting = Setting(params, plain.shape[:2])
    encrypted, plans = setting.encrypt(plain, np.random.default_rng(seed))
    plan = plans[-1]
    found = make(name).recover(encrypted, setting, given)
    same = classes(cut(encrypted, plan.shape))
    if plan.orientation is not None:
        return Places.turned(found.places, found.turns, plan.permutation, plan.orientation, plan.grid.shape, same)
    return Places.calculate(found.places, plan.permutation, plan.grid.shape, same)


def mean(measured, metric):
    return np.mean([score[metric] for score in measured])


EASY = ['chelsea', 'coffee', 'motorcycle_left', 'rocket', 'china', 'flower']


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
def test_jigsaw_reassembles(photos, given, metric, least):
    assert mean([scores('jigsaw', photos[name], [ShuffleParams(16, **given)]) for name in EASY], metric) >= least


def test_jigsaw_finds_turned_pieces(photos):
    measured = [scores('jigsaw', photos[name], [ShuffleParams(16, orient=True)]) for name in EASY[:2]]
    assert mean(measured, 'direct') >= 0.95


def test_jigsaw_reassembles_oblong_turned_pieces(photos):
    score = scores('jigsaw', photos['coffee'][:208], [ShuffleParams((16, 32), orient=True)])
    assert score['direct'] >= 0.9


def test_the_picture_comes_back_pixel_for_pixel(photos):
    plain, setting = photos['chelsea'], Setting([ShuffleParams(16)], (224, 224))
    encrypted, _ = setting.encrypt(plain, np.random.default_rng(0))
    np.testing.assert_array_equal(make('jigsaw').recover(encrypted, setting).image, plain)


def test_identity_scores_the_floor(photos):
    measured = [scores('identity', photo, [ShuffleParams(16)], seed) for seed, photo in enumerate(photos.values())]
    assert mean(measured, 'direct') < 0.06  # the best of all translations of chance
    assert mean(measured, 'neighbour') < 0.05


def test_jigsaw_on_noise_scores_chance():
    measured = []
    for seed in range(4):
        noise = np.random.default_rng(seed).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        measured.append(scores('jigsaw', noise, [ShuffleParams(16)], seed))
    assert mean(measured, 'neighbour') < 0.03  # chance is 0.005
    assert mean(measured, 'direct') < 0.06


def test_mixup_inverse_gains_a_decibel(photos):
    setting, gains = Setting([MixupParams(16, 2)], (224, 224)), {'tikhonov': [], 'tv': []}
    for plain in photos.values():
        encrypted, _ = setting.encrypt(plain, None)
        seen = Likeness.calculate(plain, encrypted)['psnr']
        for method in gains:
            found = make('mixup-inverse', method=method).recover(encrypted, setting)
            gains[method].append(Likeness.calculate(plain, found.image)['psnr'] - seen)
    assert min(np.mean(gains['tikhonov']), np.mean(gains['tv'])) >= 1
    assert np.mean(gains['tv']) > np.mean(gains['tikhonov'])


def test_mixup_inverse_mixes_to_what_it_was_given(photos):
    params = MixupParams((16, 8), 4)
    setting = Setting([params], (224, 224))
    encrypted, _ = setting.encrypt(photos['coffee'], None)
    found = make('mixup-inverse').recover(encrypted, setting).image
    assert np.abs(mix(found.astype(np.float32), params) - encrypted).mean() < 1.5  # rounding and clipping


def test_mixing_without_rounding_agrees_with_encryption(photos):
    params = MixupParams(16, 2)
    image = photos['rocket'].astype(np.float32)
    np.testing.assert_allclose(mix(image, params), params.plan(image.shape).apply(image), rtol=1e-5)
    np.testing.assert_allclose(mix(spread(mix(image, params), params), params), mix(image, params), rtol=1e-5)
    assert mosaic(image, (16, 16), (16, 16)).shape == image.shape


@pytest.mark.parametrize(
    'params',
    [
        [ShuffleParams(16)],
        [ShuffleParams(16, gap=3, drop_ratio=0.5, orient=True)],
        [MixupParams(16, 2)],
        [MixupParams(16, 2), ShuffleParams(8, gap=1)],
    ],
)
def test_linkage_names_the_right_candidate_through_jpeg(photos, params):
    setting, candidates = Setting(params, (224, 224)), tuple(photos.values())
    for truth in range(0, len(candidates), 3):
        encrypted, _ = setting.encrypt(candidates[truth], np.random.default_rng(truth))
        file = io.BytesIO()
        Image.fromarray(encrypted).save(file, 'JPEG', quality=60)
        noisy = np.asarray(Image.open(file))
        assert make('linkage').recover(noisy, setting, Given(candidates=candidates)).ranking[0] == truth


def test_linkage_is_at_a_loss_when_the_photo_is_not_among_them(photos):
    setting, candidates = Setting([ShuffleParams(16)], (224, 224)), tuple(photos.values())
    sure = {}
    for there in (True, False):
        encrypted, _ = setting.encrypt(candidates[0], np.random.default_rng(0))
        given = Given(candidates=candidates if there else candidates[1:])
        sure[there] = make('linkage').recover(encrypted, setting, given).confidence
    assert sure[True] > 0.9
    assert sure[False] < 0.5


@pytest.mark.parametrize('given', [dict(), dict(gap=2, orient=True), dict(drop_ratio=0.25)])
def test_known_plaintext_recovers_a_fixed_permutation(photos, given):
    setting = Setting([ShuffleParams(16, **given)], (224, 224))
    plain, victim = photos['astronaut'], photos['coffee']
    plan = setting.shuffle.plan(plain.shape, np.random.default_rng(3))
    extra = Given(pairs=((plain, plan.apply(plain)), (photos['china'], plan.apply(photos['china']))))
    found = make('known-plaintext').recover(plan.apply(victim), setting, extra)
    right = np.full(plan.grid.shape, -1)
    right.ravel()[plan.permutation] = np.arange(plan.permutation.size)
    agree = (found.places == right)[right >= 0].mean()
    assert agree >= 0.99
    if not given:
        assert Likeness.calculate(victim, found.image)['psnr'] > 30


def test_known_plaintext_of_another_permutation_recovers_nothing(photos):
    plain, setting = photos['astronaut'], Setting([ShuffleParams(16)], (224, 224))
    encrypt = [setting.shuffle.plan(plain.shape, np.random.default_rng(seed)) for seed in (0, 1)]
    given = Given(pairs=((plain, encrypt[0].apply(plain)),))
    found = make('known-plaintext').recover(encrypt[1].apply(photos['coffee']), setting, given)
    score = Places.calculate(found.places, encrypt[1].permutation, encrypt[1].grid.shape)
    assert score['neighbour'] < 0.05


def test_more_views_of_a_mixed_picture_show_more(photos):
    big = np.asarray(Image.fromarray(photos['coffee']).resize((240, 240)))
    setting = Setting([MixupParams(16, 2)], (224, 224))
    shifts, psnr = [(0, 0), (3, 5), (9, 2), (6, 11)], {}
    views = [(setting.encrypt(big[y : y + 224, x : x + 224], None)[0], (y, x)) for y, x in shifts]
    for count in (1, 4):
        found = make('multi-view').recover(views[0][0], setting, Given(views=tuple(views[:count])))
        psnr[count] = Likeness.calculate(big[:224, :224], found.image)['psnr']
    assert psnr[4] > psnr[1] + 2


def test_more_views_bring_back_dropped_patches(photos):
    plain, setting = photos['coffee'], Setting([ShuffleParams(16, drop_ratio=0.5)], (224, 224))
    views = tuple((setting.encrypt(plain, np.random.default_rng(seed))[0], (0, 0)) for seed in range(12))
    one = make('jigsaw').recover(views[0][0], setting).image
    many = make('multi-view').recover(views[0][0], setting, Given(views=views)).image
    assert Likeness.calculate(plain, many)['psnr'] > Likeness.calculate(plain, one)['psnr'] + 5


def with_a_shifted_view(photos, of, **given):
    """Share of right neighbours in coffee at 224, of which there is a second view, or one of another picture."""
    big = {name: np.asarray(Image.fromarray(photos[name]).resize((240, 240))) for name in ('coffee', of)}
    setting, rng = Setting([ShuffleParams(16, **given)], (224, 224)), np.random.default_rng(0)
    victim, (plan,) = setting.encrypt(np.ascontiguousarray(big['coffee'][:224, :224]), rng)
    shifted = np.ascontiguousarray(big[of][8:232, 8:232])
    views = (victim, (0, 0)), (setting.encrypt(shifted, rng)[0], (8, 8))
    found = make('multi-view').recover(victim, setting, Given(views=views))
    truth = [plan.permutation, plan.grid.shape, classes(cut(victim, plan.shape))]
    if plan.orientation is not None:
        truth.insert(1, plan.orientation)
        return Places.turned(found.places, found.turns, *truth)['neighbour']
    return Places.calculate(found.places, *truth)['neighbour']


@pytest.mark.parametrize('given', [dict(gap=2), dict(gap=2, orient=True), dict(gap=3, window=7)])
def test_a_view_shifted_by_half_a_patch_bridges_the_gaps(photos, given):
    assert with_a_shifted_view(photos, 'coffee', **given) > 0.9


def test_a_view_of_another_picture_bridges_nothing(photos):
    assert with_a_shifted_view(photos, 'china', gap=2) < 0.5


@pytest.mark.parametrize('shape', [(32, 48), (16, 32), (48, 48, 1), (32, 32, 3)])
@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'float32'])
@pytest.mark.parametrize('constant', [False, True])
def test_small_and_constant_images_of_any_dtype(shape, dtype, constant):
    image = np.random.default_rng(0).integers(0, 1 if constant else 200, shape).astype(dtype)
    for params in ([ShuffleParams(16, gap=1)], [MixupParams(16, 2)]):
        setting = Setting(params, shape[:2])
        encrypted, _ = setting.encrypt(image, np.random.default_rng(0))
        name = 'jigsaw' if setting.shuffle else 'mixup-inverse'
        found = make(name).recover(encrypted, setting)
        assert found.image.shape == (*shape[:2], 3)
        assert 0 <= found.confidence <= 1
        assert all(np.isfinite(value) for value in Likeness.calculate(image, found.image).values())


def test_a_nan_pixel_is_no_obstacle(photos):
    image = photos['coffee'].astype(np.float32)
    image[5, 5] = np.nan
    setting = Setting([ShuffleParams(16)], (224, 224))
    encrypted, _ = setting.encrypt(image, np.random.default_rng(0))
    assert np.isfinite(make('jigsaw').recover(encrypted, setting).confidence)


@pytest.mark.parametrize(
    'name, params, shape, message',
    [
        ('jigsaw', [MixupParams(16, 2)], (64, 64), 'nothing was shuffled'),
        ('mixup-inverse', [ShuffleParams(16)], (64, 64), 'nothing was mixed'),
        ('mixup-inverse', [MixupParams(16, 2)], (60, 64), '60 x 64'),
        ('jigsaw', [ShuffleParams(16)], (16, 16), 'does not hold two or more pieces of 16 x 16'),
        ('jigsaw', [ShuffleParams(16, gap=2)], (64, 64), '64 x 64'),
        ('linkage', [ShuffleParams(16)], (64, 64), 'needs candidates'),
        ('known-plaintext', [ShuffleParams(16)], (64, 64), 'needs pairs'),
    ],
)
def test_what_an_attack_refuses(name, params, shape, message):
    with pytest.raises(ValueError, match=message):
        make(name).recover(np.zeros((*shape, 3), np.uint8), Setting(params))


def test_names_are_listed_and_cannot_be_taken_twice():
    assert attack_names()[:3] == ['identity', 'jigsaw', 'mixup-inverse']
    with pytest.raises(ValueError, match="identity, jigsaw.*got 'magic'"):
        make('magic')
    with pytest.raises(ValueError, match='of its own'):
        register(type('Other', (Attack,), {'name': 'jigsaw'}))


def test_the_docs_have_every_attack_and_each_says_where_it_is_from():
    text = (ROOT / 'docs' / 'attacks.md').read_text()
    for name in attack_names():
        assert f'| `{name}`' in text
        assert make(name).source and make(name).cost


@pytest.mark.parametrize('steps', [[], [ShuffleParams(8), MixupParams(16)], [ShuffleParams(8)] * 2])
def test_settings_that_do_not_exist(steps):
    with pytest.raises(ValueError, match='steps must be'):
        Setting(steps)


@pytest.mark.parametrize('gap', [0, 2])
def test_laying_out_undoes_a_plan(photos, gap):
    params = ShuffleParams((16, 16), gap=gap, orient=True)
    plan = params.plan((224, 224), np.random.default_rng(0))
    encrypted = plan.apply(photos['coffee'])
    places, turns = np.empty(plan.grid.shape, int), np.empty(plan.grid.shape, int)
    places.ravel()[plan.permutation] = np.arange(196)
    codes = plan.orientation
    turns.ravel()[plan.permutation] = np.where(codes >= 4, codes, -codes % 4)
    got = lay_out(cut(encrypted, plan.shape), places, turns, gap, fill=False)
    np.testing.assert_array_equal(got, plan.invert(encrypted))


def test_turning_is_what_the_plan_does(photos):
    plan = ShuffleParams(16, orient=True).plan((224, 224), np.random.default_rng(1))
    got, plain = cut(plan.apply(photos['coffee']), (14, 14)), cut(photos['coffee'], (14, 14))
    for place in range(196):
        piece = plain[plan.permutation[place]][None]
        np.testing.assert_array_equal(got[place], turn(piece, int(plan.orientation[place]))[0])
    assert resized(plain[0], (8, 8)).shape == (8, 8, 3)
