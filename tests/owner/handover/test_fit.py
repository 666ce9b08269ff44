"""Bringing pictures to a size."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from hii_mm.encryption import MasterKey, Scheme
from hii_mm.handover import job
from hii_mm.handover.fit import plan_fit
from hii_mm.handover.job import encrypted
from hii_mm.handover.settings import Settings
from hii_mm.images import encode


@pytest.mark.parametrize(
    'dtype, channels', [('uint8', ()), ('uint8', (2,)), ('uint8', (3,)), ('uint8', (4,)), ('uint16', ())]
)
def test_resized_pixels_are_those_of_pillow(dtype, channels):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (37, 50, *channels), dtype)
    fit = plan_fit(Settings(Scheme(8), size=(32, 24), fit='resize'), (37, 50))
    expected = np.asarray(Image.fromarray(image).resize(fit.scaled_hw[::-1], Image.Resampling.BICUBIC)).astype(dtype)
    found = fit.image(image)
    assert found.dtype == dtype and found.shape[:2] == fit.fitted_hw
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('hw', [(640, 480), (641, 475)])
@pytest.mark.parametrize(
    'scheme, fit',
    [
        (Scheme(16), 'crop'),
        (Scheme(16), 'resize'),
        (Scheme(16), 'pad'),
        (Scheme(16, gap=2), 'pad'),
        (Scheme(16, strategy='both'), 'pad'),
    ],
)
def test_an_image_is_freed_before_it_is_encrypted(hw, scheme, fit, monkeypatch):
    settings = Settings(scheme, fit=fit, dataset_id='a' * 32)
    pixels = np.random.default_rng(0).integers(0, 256, (*hw, 3), np.uint8)
    encrypted(encode(pixels, '.png'), settings, MasterKey(bytes(32)), 'warm')
    monkeypatch.setattr(job, 'decode_upright', lambda data: (data.copy(), 1))  # Pillow's memory is not seen here
    tracemalloc.start()
    found, _, plan = encrypted(pixels, settings, MasterKey(bytes(32)), 'a')
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.45 * pixels.nbytes  # the image and what is made of it, and an index
    fitted = plan_fit(settings, hw).image(pixels)
    expected = settings.scheme.plan(fitted.shape, key=MasterKey(bytes(32)), image_id='a', dataset_id='a' * 32)
    np.testing.assert_array_equal(found, expected.apply(fitted))
