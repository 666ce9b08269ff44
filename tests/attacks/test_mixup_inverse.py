"""mixup-inverse sharpens mixed photographs, and its answer mixes to what it was given."""

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.evaluation.likeness import Likeness
from hii_mm.attacks.solver.unmixing import mosaic, unmix
from hii_mm.encryption.mixup import average, spread

MI = Scheme(16, strategy='mixup')


def psnr(plain, found):
    return Likeness.calculate(plain, found)['psnr']


def test_it_gains_a_decibel_and_total_variation_is_the_better(scenes):
    gains = {'tikhonov': [], 'tv': []}
    for plain in scenes.values():
        encrypted = MI.plan(plain.shape).apply(plain)
        seen = psnr(plain, encrypted)
        for method, found in gains.items():
            image = make('mixup-inverse', method=method).recover(encrypted, MI, Given(plain.shape[:2])).image
            found.append(psnr(plain, image) - seen)
    assert min(np.mean(gains['tikhonov']), np.mean(gains['tv'])) >= 1
    assert np.mean(gains['tv']) > np.mean(gains['tikhonov'])


def test_on_noise_it_is_no_better_than_repeating_the_mixture(scenes):
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    gains = {}
    for name, plain in (('noise', noise), ('photo', scenes['coffee'])):
        encrypted = MI.plan(plain.shape).apply(plain)
        repeated = spread(encrypted.astype(np.float32), MI.mixup).astype(np.uint8)
        gains[name] = psnr(plain, make('mixup-inverse').recover(encrypted, MI).image) - psnr(plain, repeated)
    assert gains['noise'] <= 0 < 3 < gains['photo']


def test_the_answer_mixes_to_what_was_given(scenes):
    scheme = Scheme((16, 8), strategy='mixup', grid=4)
    encrypted = scheme.plan((224, 224)).apply(scenes['coffee'])
    found = make('mixup-inverse').recover(encrypted, scheme, Given((224, 224))).image
    assert np.abs(average(found.astype(np.float32), scheme.mixup) - encrypted).mean() < 1.5  # rounding and clipping


def test_a_mosaic_inverts_nothing(scenes):
    image = scenes['coffee'].astype(np.float32)
    tiles = mosaic(image, (16, 16), (16, 16))
    assert tiles.shape == image.shape
    assert (tiles == tiles[::16, ::16].repeat(16, axis=0).repeat(16, axis=1)).all()
    mixed = average(image, MI.mixup)
    np.testing.assert_array_equal(unmix(mixed, MI.mixup, 'mosaic'), mosaic(mixed, (8, 8), (16, 16)))


@pytest.mark.parametrize('remainder, shape', [('pad', (50, 60)), ('crop', (50, 60))])
def test_what_was_padded_goes_and_what_was_cropped_is_repeated(scenes, remainder, shape):
    scheme = Scheme(16, strategy='mixup', remainder=remainder)
    plain = np.ascontiguousarray(scenes['coffee'][: shape[0], : shape[1]])
    encrypted = scheme.plan(shape).apply(plain)
    found = make('mixup-inverse').recover(encrypted, scheme, Given(shape)).image
    assert found.shape == plain.shape
    assert psnr(plain[:48, :48], found[:48, :48]) > 15


def test_methods_are_checked():
    with pytest.raises(ValueError, match="method must be one of mosaic, tikhonov, tv, got 'magic'"):
        make('mixup-inverse', method='magic')
