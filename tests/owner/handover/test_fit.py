"""Bringing pictures to a size."""

import numpy as np
import pytest
from PIL import Image

from hii_mm.encryption import Scheme
from hii_mm.handover.fit import plan_fit
from hii_mm.handover.settings import Settings


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
