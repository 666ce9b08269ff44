"""Tone and noise: what they refuse, and the laws of their draws. Their pixels are checked in test_shuffle.py."""

import numpy as np
import pytest

from hii_mm.encryption import MasterKey, Plan, Scheme
from hii_mm.encryption.tone import Tone

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_mirrored_colours_get_the_mirrored_tone(channels):
    image = RNG.integers(0, 200, (16, 24, channels), dtype=np.uint8)
    plan = Scheme(8, tone=True, orient=True).plan(image.shape, RNG)
    colours = [2, 1, 0, 3][:channels] if channels > 2 else list(range(channels))
    found = (plan.mirrored() if channels > 2 else plan).apply(image[..., colours])
    np.testing.assert_array_equal(found, plan.apply(image)[..., colours])
    assert Plan(None, None).mirrored().shuffle is None


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_mirrored_colours_get_the_mirrored_noise_whether_alpha_is_there_or_not(channels):
    image = RNG.integers(0, 200, (16, 24, channels), dtype=np.uint8)
    plan = Scheme(8, noise=30, tone=True).plan(image.shape, RNG)
    colours = [2, 1, 0, 3][:channels] if channels > 2 else list(range(channels))
    found = (plan.mirrored() if channels > 2 else plan).apply(image[..., colours])
    np.testing.assert_array_equal(found, plan.apply(image)[..., colours])
    if channels == 4:
        np.testing.assert_array_equal(plan.apply(np.ascontiguousarray(image[..., :3])), plan.apply(image)[..., :3])


@pytest.mark.parametrize('lo, width', [(0, 0), (255, 0), (3, 100), (100, 155)])
def test_the_level_says_nothing_of_the_plain_one(lo, width):
    """Whatever the least level is, each that fits is alike often."""
    count, room = 40000, 256 - width
    image = np.full((count, 2), lo, np.uint8)
    image[:, 1] += width
    Tone.draw(count, np.random.default_rng(1)).apply(image, (count, 1))
    assert (image.max(axis=1) - image.min(axis=1) == width).all()
    found = np.bincount(image.min(axis=1), minlength=room)
    assert len(found) == room
    expected = count / room
    assert ((found - expected) ** 2 / expected).sum() < room - 1 + 4 * (2 * room) ** 0.5


def test_draws_are_even():
    tone = Tone.draw(6000, np.random.default_rng(0))
    counts = np.bincount(tone.order, minlength=6)
    assert ((counts - 1000) ** 2 / 1000).sum() < 25  # 5 degrees of freedom: p = 0.0001
    assert np.abs(tone.inverted.mean(axis=0) - 0.5).max() < 0.03
    assert tone.level.min() >= 0
    assert 0.99 * 2**32 < tone.level.max() < 2**32


def test_the_plan_does_not_depend_on_the_channels():
    """Boxes and masks of an image are moved by a plan of its size alone."""
    given = dict(key=MasterKey(bytes(32)), image_id='a', dataset_id='0' * 32)
    grey, colour = (Scheme(8, tone=True).plan(shape, **given).shuffle.tone for shape in ((32, 32), (32, 32, 4)))
    for one, two in zip(vars(grey).values(), vars(colour).values()):
        np.testing.assert_array_equal(one, two)


def test_cores_are_an_image():
    cores = RNG.integers(0, 99, (6, 4, 5, 3), dtype=np.uint8)
    tone, found = Tone.draw(6, RNG), cores.copy()
    tone.apply(found.reshape(24, 5, 3), (6, 1))
    image = np.ascontiguousarray(cores.reshape(2, 3, 4, 5, 3).swapaxes(1, 2)).reshape(8, 15, 3)
    tone.apply(image, (2, 3))
    np.testing.assert_array_equal(image.reshape(2, 4, 3, 5, 3).swapaxes(1, 2).reshape(cores.shape), found)


@pytest.mark.parametrize('shape', [(40, 24), (40, 24, 3)])
def test_bands_of_noise_do_not_show(monkeypatch, shape):
    image = RNG.integers(100, 120, shape, dtype=np.uint8)
    plan = Scheme(8, noise=10).plan(image.shape, RNG)
    whole = plan.apply(image)
    monkeypatch.setattr('hii_mm.encryption.noise.BAND', 24 * 3 * 7)
    np.testing.assert_array_equal(plan.apply(image), whole)
    np.testing.assert_array_equal(plan.invert(whole), image)


def test_masks_and_labels_have_no_noise():
    plan = Scheme(8, noise=99, tone=True).plan((16, 24), RNG)
    mask = RNG.integers(0, 9, (16, 24), dtype=np.uint8)
    np.testing.assert_array_equal(plan.restore_mask(plan.apply_mask(mask)), mask)


def test_bands_do_not_show(monkeypatch):
    """Large images are toned some rows of patches at a time."""
    image = RNG.integers(0, 99, (40, 24, 3), dtype=np.uint8)
    plan = Scheme(8, tone=True).plan(image.shape, RNG)
    whole = plan.apply(image)
    monkeypatch.setattr('hii_mm.encryption.tone.BAND', 8 * 24 * 3 * 2)
    np.testing.assert_array_equal(plan.apply(image), whole)
    np.testing.assert_array_equal(plan.invert(whole), image)


@pytest.mark.parametrize(
    'image, error, message',
    [
        (np.zeros((16, 16), np.float32), TypeError, r'uint8 or uint16, got float32: .*round\(\)'),
        (np.zeros((16, 16, 5), np.uint8), ValueError, 'at most 4 channels, got 5'),
        (np.zeros((16, 24), np.uint8), ValueError, 'image is 16 x 24'),
    ],
)
@pytest.mark.parametrize('method', ['apply', 'invert'])
def test_images_that_have_no_tone(image, error, message, method):
    for options in (dict(tone=True), dict(noise=9), dict(noise=9, tone=True)):
        plan = Scheme(8, **options).plan((16, 16), RNG)
        with pytest.raises(error, match=message):
            getattr(plan, method)(image)
    if image.dtype == np.float32:
        assert Scheme(8).plan((16, 16), RNG).apply(image).dtype == np.float32
