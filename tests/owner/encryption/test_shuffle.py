"""ShufflePlan against a slow oracle that moves one pixel at a time."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.shuffles import cases
from hii_mm.encryption import ShuffleParams
from hii_mm.encryption.shuffle import kept_shape

SETTINGS = settings(max_examples=150, deadline=None)


def turned(patch, code):
    """Quarter turns anti-clockwise, then a mirror, by index arithmetic alone."""
    for _ in range(code % 4):
        height, width = patch.shape[:2]
        out = np.empty((width, height) + patch.shape[2:], patch.dtype)
        for y in range(height):
            for x in range(width):
                out[width - 1 - x, y] = patch[y, x]
        patch = out
    if code >= 4:
        mirrored = patch.copy()
        for x in range(patch.shape[1]):
            mirrored[:, x] = patch[:, patch.shape[1] - 1 - x]
        patch = mirrored
    return patch


def toned(patch, tone, place):
    """Order, inversion and level of each channel, by lists of whole numbers."""
    height, width, channels = patch.shape
    levels = 256 if patch.dtype == np.uint8 else 65536
    order = [*sorted(itertools.permutations(range(3)))[int(tone.order[place])], 3] if channels > 2 else range(channels)
    out = patch.copy()
    for channel, source in enumerate(order[:channels]):
        column = [int(value) for value in patch[:, :, source].ravel()]
        lo, hi = min(column), max(column)
        if tone.inverted[place][channel]:
            column = [lo + hi - value for value in column]
        room = levels - (hi - lo)
        moved = (lo + int(tone.level[place][channel]) * room // 2**32) % room
        assert 0 <= moved <= moved + hi - lo < levels
        out[:, :, channel] = np.reshape([value - lo + moved for value in column], (height, width))
    return out


def noisy(image, noise):
    """Each value moved and clipped, by whole numbers, and by how much clipping moved it back."""
    key = b''.join(int(word).to_bytes(4, 'little') for word in noise.seed)
    count, channels = image.shape[0] * image.shape[1], int(np.prod(image.shape[2:]))
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(16 * count))
    most = int(np.iinfo(image.dtype).max)
    deeper = 1 if most == 255 else 257
    found, back = [], []
    for k, value in enumerate(image.ravel().tolist()):
        word = 16 * (k // channels) + 4 * (k % channels)  # of four for each pixel
        total = sum(stream[word : word + 4]) - 510
        moved = value + (2 * total * 443 * noise.deviation * deeper + 65536) // 131072
        found.append(min(max(moved, 0), most))
        back.append(found[-1] - moved)
    return np.reshape(found, image.shape).astype(image.dtype), np.reshape(back, image.shape).astype(np.float32)


def oracle(image, plan):
    """The encrypted image, the lost pixels, and what clipping did to each value of the former, patch by patch."""
    (h, w), (ph, pw), gap = image.shape[:2], plan.grid.patch_size, plan.gap
    cols = -(-w // pw) if plan.grid.remainder == 'pad' else w // pw
    ch, cw = ph - 2 * gap, pw - 2 * gap
    encrypted = np.zeros((plan.shape[0] * ch, plan.shape[1] * cw) + image.shape[2:], image.dtype)
    lost = np.ones((h, w), bool)
    for place, source in enumerate(plan.permutation):
        core = np.empty((ch, cw) + image.shape[2:], image.dtype)
        for y in range(ch):
            for x in range(cw):
                sy, sx = source // cols * ph + gap + y, source % cols * pw + gap + x
                core[y, x] = image[min(sy, h - 1), min(sx, w - 1)]
                if sy < h and sx < w:
                    lost[sy, sx] = False
        if plan.orientation is not None:
            core = turned(core, int(plan.orientation[place]))
        encrypted[at(place, plan)] = core
    encrypted, back = (encrypted, np.float32(0)) if plan.noise is None else noisy(encrypted, plan.noise)
    for place in range(len(plan.permutation)) if plan.tone is not None else ():
        core = encrypted[at(place, plan)]
        encrypted[at(place, plan)] = toned(core.reshape(*core.shape[:2], -1), plan.tone, place).reshape(core.shape)
    return encrypted, lost, back


def at(place, plan):
    """The pixels of a place."""
    (h, w), top, left = plan.core_size, *divmod(place, plan.shape[1])
    return slice(top * h, top * h + h), slice(left * w, left * w + w)


@SETTINGS
@given(cases())
def test_apply_and_invert_agree_with_the_oracle(case):
    image, params, rng = case
    before = image.copy()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        plan = params.plan(image.shape, rng)
    encrypted = plan.apply(image)
    expected, lost, back = oracle(image, plan)
    assert encrypted.dtype == image.dtype
    assert encrypted.flags.c_contiguous
    assert encrypted.shape[:2] == plan.encrypted_shape
    np.testing.assert_array_equal(encrypted, expected)
    np.testing.assert_array_equal(plan.missing(), lost)
    received = encrypted.copy()
    plain = plan.invert(encrypted, fill=7)
    assert plain.shape == image.shape
    left = image
    if plan.noise is not None:  # a value that was clipped comes back as far from the plain one
        far = replace(plan, noise=None, tone=None).invert(back)
        left = np.clip(image + far, 0, np.iinfo(image.dtype).max).astype(image.dtype)
    np.testing.assert_array_equal(plain[~lost], left[~lost])
    assert (plain[lost] == 7).all()
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(encrypted, received)
    if not params.gap and not params.drop_ratio and params.remainder != 'crop':
        assert not lost.any()
        assert plain.tobytes() == left.tobytes()


@SETTINGS
@given(cases())
def test_a_plan_is_what_its_parameters_say(case):
    image, params, rng = case
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        plan = params.plan(image.shape, rng)
    total, kept = np.prod(plan.grid.shape), plan.permutation.size
    assert kept == np.prod(plan.shape)
    assert len(set(plan.permutation)) == kept
    assert 0 <= plan.permutation.min() <= plan.permutation.max() < total
    order = np.sort(plan.permutation)
    assert kept == 1 or (plan.permutation != order).any()
    if params.window:
        source = np.searchsorted(order, plan.permutation)  # where the patch stood among the kept ones
        cells = [np.array(np.divmod(places, plan.shape[1])) // params.window for places in (np.arange(kept), source)]
        np.testing.assert_array_equal(*cells)
        for cell in {tuple(c) for c in cells[0].T}:
            inside = (cell == cells[0].T).all(1)
            assert inside.sum() == 1 or (source[inside] != np.flatnonzero(inside)).any()
    if params.orient:
        square = params.patch_size[0] == params.patch_size[1]
        assert set(plan.orientation) <= (set(range(8)) if square else {0, 2, 4, 6})
    assert (plan.tone is not None) == params.tone
    assert (plan.noise.deviation if plan.noise else 0) == params.noise
    if params.tone:
        assert plan.tone.order.shape == (kept,)
        assert plan.tone.inverted.shape == plan.tone.level.shape == (kept, 4)
        labels = image.astype(np.float32)
        np.testing.assert_array_equal(plan.move(labels), replace(plan, tone=None, noise=None).apply(labels))


@given(st.integers(1, 14), st.integers(1, 14), st.floats(0, 0.99))
def test_the_kept_rectangle_is_the_best_of_all(rows, cols, drop):
    most = rows * cols * (1 - drop) + 1e-9
    shapes = [(r, c) for r in range(1, rows + 1) for c in range(1, cols + 1) if r * c <= most]
    if not shapes:
        with pytest.raises(ValueError, match='leaves none'):
            kept_shape((rows, cols), drop)
        return
    got = kept_shape((rows, cols), drop)
    assert got in shapes
    best = max(r * c for r, c in shapes)
    assert got[0] * got[1] == best
    skew = min(abs(r * cols - c * rows) for r, c in shapes if r * c == best)
    assert abs(got[0] * cols - got[1] * rows) == skew


def test_the_kept_rectangle_of_the_documented_cases():
    assert kept_shape((14, 14), 0.0) == (14, 14)
    assert kept_shape((14, 14), 0.25) == (12, 12)
    assert kept_shape((14, 14), 0.5) == (7, 14)
    assert kept_shape((2, 3), 0.5) == (1, 3)


@pytest.mark.parametrize('count', [2, 3])
def test_permutations_are_uniform_but_for_the_identity(count):
    rng = np.random.default_rng(0)
    params, draws = ShuffleParams(patch_size=1), 6000
    seen = [tuple(params.plan((1, count), rng).permutation) for _ in range(draws)]
    kinds = {kind: seen.count(kind) for kind in set(seen)}
    assert tuple(range(count)) not in kinds
    expected = draws / ({2: 2, 3: 6}[count] - 1)
    assert len(kinds) == draws / expected
    chi_square = sum((n - expected) ** 2 / expected for n in kinds.values())
    assert chi_square < 25  # 4 degrees of freedom: p < 0.0001


@pytest.mark.parametrize('count', [999, 1000, 1001, 1024, 5000])
def test_long_permutations_are_uniform_in_place_and_in_order(count):
    """Sorted keys above a thousand, NumPy's shuffle below: the same distribution."""
    rng, runs, parts = np.random.default_rng(0), 300, 10
    where, ascending = np.zeros((parts, parts)), 0
    for _ in range(runs):
        order = ShuffleParams(1).plan((1, count), rng).permutation
        assert order.dtype == np.int64
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
        np.add.at(where, (np.arange(count) * parts // count, order * parts // count), 1)
        ascending += (order[1:] > order[:-1]).sum()
    expected = np.outer(np.bincount(np.arange(count) * parts // count), np.bincount(np.arange(count) * parts // count))
    expected = expected / count * runs
    assert ((where - expected) ** 2 / expected).sum() < 130  # 81 degrees of freedom: 1 in 2,000
    steps = runs * (count - 1)
    assert abs(ascending / steps - 0.5) < 4 * (1 / 12 / steps) ** 0.5  # Eulerian numbers: variance (n + 1) / 12


def test_orientations_are_used_evenly():
    plan = ShuffleParams(patch_size=2, orient=True).plan((128, 128), np.random.default_rng(0))
    counts = np.bincount(plan.orientation, minlength=8)
    assert ((counts - 512) ** 2 / 512).sum() < 30  # 7 degrees of freedom: p < 0.0001


def test_a_window_of_one_patch_is_not_left_alone_in_silence():
    with pytest.warns(UserWarning, match='window 2 on 5 x 5 patches leaves a window of one patch'):
        ShuffleParams(patch_size=4, window=2).plan((20, 20), np.random.default_rng(0))


PARAMETERS = [
    (dict(patch_size=0), ValueError, 'patch_size must be at least 1, got 0'),
    (dict(patch_size=-16), ValueError, 'at least 1, got -16'),
    (dict(patch_size=(16, 0)), ValueError, r'patch_size\[1\] must be at least 1, got 0'),
    (dict(patch_size=(16, 16, 3)), ValueError, r'one whole number or \(h, w\), got \(16, 16, 3\)'),
    (dict(patch_size=7.5), TypeError, 'whole number, got 7.5'),
    (dict(patch_size='16'), TypeError, "whole number, got '16'"),
    (dict(patch_size=True), TypeError, 'whole number, got True'),
    (dict(gap=-1), ValueError, 'gap must be at least 0, got -1'),
    (dict(gap=8), ValueError, 'gap 8 leaves nothing of a patch of 16 x 16.*at most 7'),
    (dict(patch_size=(16, 6), gap=3), ValueError, 'at most 2'),
    (dict(drop_ratio=1.0), ValueError, r'drop_ratio must be in \[0, 1\), got 1.0'),
    (dict(drop_ratio=-0.1), ValueError, r'in \[0, 1\), got -0.1'),
    (dict(drop_ratio=float('nan')), ValueError, 'got nan'),
    (dict(drop_ratio='half'), TypeError, "number in \\[0, 1\\), got 'half'"),
    (dict(orient=1), TypeError, 'orient must be True or False, got 1'),
    (dict(tone=0.5), TypeError, 'tone must be True or False, got 0.5'),
    (dict(noise=0.5), TypeError, 'noise must be .*, got 0.5'),
    (dict(noise=129), ValueError, 'noise must be at most 128 levels of 8 bits, got 129'),
    (dict(orient='square'), TypeError, "True or False, got 'square'"),
    (dict(window=1), ValueError, 'window must be at least 2, got 1'),
    (dict(window=2.5), TypeError, 'window must be a whole number, got 2.5'),
    (dict(remainder='wrap'), ValueError, "one of 'error', 'pad', 'crop', got 'wrap'"),
]


@pytest.mark.parametrize('given_, error, message', PARAMETERS)
def test_parameters_that_are_not_accepted(given_, error, message):
    with pytest.raises(error, match=message):
        ShuffleParams(**given_)


SIZES = [
    ((64, 60), {}, '64 x 60 .*not a multiple of patch_size 16 x 16: resize it to 64 x 48'),
    ((8, 64), {}, 'patch_size 16 x 16 is larger than the image, 8 x 64'),
    ((8, 64), dict(remainder='crop'), 'larger than the image'),
    ((16, 16), {}, 'holds a single patch'),
    ((10, 12), dict(remainder='pad'), 'holds a single patch'),
    ((32, 32), dict(drop_ratio=0.9), 'drop_ratio 0.9 leaves none of the 2 x 2 patches: at most 0.75'),
]


@pytest.mark.parametrize('shape, given_, message', SIZES)
def test_sizes_that_cannot_be_cut(shape, given_, message):
    with pytest.raises(ValueError, match=message):
        ShuffleParams(**given_).plan(shape, np.random.default_rng(0))


IMAGES = [
    (np.zeros((32, 32), bool), TypeError, 'uint8, uint16, float32, got bool'),
    (np.zeros((32, 32), object), TypeError, 'got object'),
    (np.zeros((32, 32), np.float64), TypeError, 'got float64'),
    (np.zeros((32, 32), '>u2'), TypeError, 'foreign byte order'),
    ([[0] * 32] * 32, TypeError, 'numpy.ndarray, got list'),
    (np.zeros((1, 32, 32, 3), np.uint8), ValueError, 'got 4 dimensions'),
    (np.zeros(32, np.uint8), ValueError, 'got 1 dimensions'),
    (np.zeros((32, 32, 0), np.uint8), ValueError, 'image is empty'),
    (np.zeros((32, 48), np.uint8), ValueError, 'image is 32 x 48 .* this plan is for 32 x 32'),
]


@pytest.mark.parametrize('image, error, message', IMAGES)
@pytest.mark.parametrize('method', ['apply', 'invert'])
def test_images_that_are_not_accepted(image, error, message, method):
    plan = ShuffleParams().plan((32, 32), np.random.default_rng(0))
    with pytest.raises(error, match=message):
        getattr(plan, method)(image)
