"""MixupPlan against a slow oracle that averages one pixel at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hii_mm.encryption import MixupParams, ShuffleParams


def oracle(image, patch_size, g):
    """The mean of the g*g sub-patches of each patch, pixel by pixel, in exact arithmetic."""
    (ph, pw), (h, w) = patch_size, image.shape[:2]
    sh, sw = ph // g, pw // g
    out = np.empty((h // g, w // g) + image.shape[2:], image.dtype)
    for y in range(h // g):
        for x in range(w // g):
            top, left = y // sh * ph + y % sh, x // sw * pw + x % sw
            cell = image[top : top + ph : sh, left : left + pw : sw][:g, :g].reshape((g * g,) + image.shape[2:])
            if image.dtype.kind == 'u':
                out[y, x] = (cell.astype(np.int64).sum(0) + g * g // 2) // (g * g)
            else:
                out[y, x] = cell.astype(np.float64).mean(0)
    return out


@st.composite
def cases(draw):
    g = draw(st.integers(2, 4))
    patch = (g * draw(st.integers(1, 3)), g * draw(st.integers(1, 3)))
    shape = (patch[0] * draw(st.integers(1, 3)), patch[1] * draw(st.integers(1, 3)))
    dtype = draw(st.sampled_from(['uint8', 'uint16', 'float32']))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    high = 65536 if dtype == 'uint16' else 256
    image = rng.integers(0, high, shape + draw(st.sampled_from([(), (1,), (3,)]))).astype(dtype)
    return (image[:, ::-1] if draw(st.booleans()) else image), patch, g


@settings(max_examples=150, deadline=None)
@given(cases())
def test_apply_agrees_with_the_oracle(case):
    image, patch, g = case
    before = image.copy()
    plan = MixupParams(patch, g).plan(image.shape)
    mixed = plan.apply(image)
    assert (mixed.dtype, mixed.shape[:2]) == (image.dtype, plan.encrypted_shape)
    if image.dtype.kind == 'u':
        np.testing.assert_array_equal(mixed, oracle(image, patch, g))
    else:
        np.testing.assert_allclose(mixed, oracle(image, patch, g), rtol=1e-6)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize('dtype', ['uint8', 'uint16'])
@pytest.mark.parametrize('g', [2, 4, 16, 32])
def test_sums_never_overflow(dtype, g):
    top = np.iinfo(dtype).max
    image = np.full((32, 32), top, dtype)
    assert (MixupParams(32, g).plan(image.shape).apply(image) == top).all()


def test_rounding_is_half_up():
    image = np.array([[1, 0], [1, 0]], np.uint8)  # the mean is 0.5
    assert MixupParams(2, 2).plan((2, 2)).apply(image).tolist() == [[1]]


def test_padding_repeats_the_border_and_cropping_leaves_it_out():
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    padded = np.pad(image, [(0, 3), (0, 2)], mode='edge')
    for remainder, fitted in (('pad', padded), ('crop', image[:4, :4])):
        got = MixupParams(4, 2, remainder).plan(image.shape).apply(image)
        np.testing.assert_array_equal(got, oracle(fitted, (4, 4), 2))


def test_shuffling_a_mixed_image():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    mixed = MixupParams(16, 2).plan(image.shape).apply(image)
    plan = ShuffleParams(8).plan(mixed.shape, np.random.default_rng(0))
    np.testing.assert_array_equal(plan.invert(plan.apply(mixed)), mixed)


@pytest.mark.parametrize(
    'given_, error, message',
    [
        (dict(grid=1), ValueError, 'grid must be at least 2, got 1'),
        (dict(grid=2.0), TypeError, 'whole number, got 2.0'),
        (dict(patch_size=16, grid=3), ValueError, 'patch_size 16 x 16 is not a multiple of grid 3'),
        (dict(remainder='none'), ValueError, "got 'none'"),
    ],
)
def test_parameters_that_are_not_accepted(given_, error, message):
    with pytest.raises(error, match=message):
        MixupParams(**given_)


def test_sizes_that_cannot_be_cut():
    with pytest.raises(ValueError, match='30 x 32 .*not a multiple of patch_size 16 x 16'):
        MixupParams().plan((30, 32))
