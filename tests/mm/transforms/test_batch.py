"""Batches of tensors, against the NumPy engine image by image."""

import warnings

import numpy as np
import pytest
import torch

from hii_mm.encryption import Scheme
from hii_mm.errors import InvalidTypeError, InvalidValueError
from hii_mm.transforms import BatchPatchMixup, BatchPatchShuffle

OPTIONS = [
    {},
    {'gap': 1},
    {'drop_ratio': 0.4},
    {'orient': True},
    {'window': 2},
    {'window': 3, 'drop_ratio': 0.3, 'orient': True, 'gap': 1},
    {'patch_size': (4, 6), 'orient': True},
    {'tone': True},
    {'noise': 30},
    {'noise': 9, 'tone': True, 'orient': True, 'gap': 2},
    {'tone': True, 'orient': True, 'gap': 1, 'drop_ratio': 0.3, 'window': 2},
    {'remainder': 'pad'},
    {'remainder': 'crop'},
]


def batch_of(options, count=5, dtype=torch.uint8):
    """(B, 3, H, W) of noise that the options can cut."""
    h, w = (31, 43) if options.get('remainder') else (32, 48)
    noise = torch.randint(0, 255, (count, 3, h, w), generator=torch.Generator().manual_seed(0))
    return noise.to(dtype)


def images(batch):
    """The images of a batch, (H, W, C) each."""
    return [np.ascontiguousarray(each.permute(1, 2, 0).numpy()) for each in batch]


@pytest.mark.parametrize('options', OPTIONS, ids=str)
@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_given_plans_give_the_pixels_of_the_transform(options, dtype):
    options = {'patch_size': 8, **options}
    batch, scheme, rng = batch_of(options, dtype=dtype), Scheme(**options), np.random.default_rng(1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        plans = [scheme.plan(image.shape, rng) for image in images(batch)]
    if ('tone' in options or 'noise' in options) and dtype.is_floating_point:
        with pytest.raises(
            InvalidTypeError, match='(tone|noise) needs whole levels, uint8 or uint16, got torch.float32'
        ):
            BatchPatchShuffle(**options)(batch, plans=plans)
        return
    found = BatchPatchShuffle(**options)(batch, plans=plans)
    assert found.dtype == dtype
    for image, plan, shuffled in zip(images(batch), plans, images(found)):
        np.testing.assert_array_equal(shuffled, plan.apply(image))


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_tone_of_all_channels_and_levels(channels, dtype):
    rng, scheme = np.random.default_rng(0), Scheme(4, tone=True)
    plain = rng.integers(0, np.iinfo(dtype).max, (2, 8, 12, channels), endpoint=True).astype(dtype)
    plain[1] //= 7
    plans = [scheme.plan(image.shape, rng) for image in plain]
    batch = torch.from_numpy(np.ascontiguousarray(plain.transpose(0, 3, 1, 2)))
    found = BatchPatchShuffle(4, tone=True)(batch, plans=plans).numpy().transpose(0, 2, 3, 1)
    for image, plan, shuffled in zip(plain, plans, found):
        np.testing.assert_array_equal(shuffled, plan.apply(image))


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_noise_of_all_channels_and_levels(channels, dtype):
    rng, scheme, most = np.random.default_rng(0), Scheme(4, noise=20), np.iinfo(dtype).max
    plain = rng.integers(0, most, (2, 8, 12, channels), endpoint=True).astype(dtype)
    plans = [scheme.plan(image.shape, rng) for image in plain]
    batch = torch.from_numpy(np.ascontiguousarray(plain.transpose(0, 3, 1, 2)))
    before = batch.clone()
    found = BatchPatchShuffle(4, noise=20)(batch, plans=plans).numpy().transpose(0, 2, 3, 1)
    for image, plan, shuffled in zip(plain, plans, found):
        np.testing.assert_array_equal(shuffled, plan.apply(image))
    assert torch.equal(batch, before)
    grey = torch.from_numpy(np.full((4, channels, 64, 64), most // 2 + 1, dtype))
    shuffle = BatchPatchShuffle(4, noise=20)
    one, two, other = (shuffle(grey, generator=torch.Generator().manual_seed(seed)).numpy() for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    moved = (one.astype(float) - (most // 2 + 1)) * 255 / most
    assert (one != other).any() and abs(moved.mean()) < 0.6 and moved.std() == pytest.approx(20, abs=0.5)


def test_plans_of_another_scheme_are_refused():
    batch = torch.zeros((2, 3, 8, 8), dtype=torch.uint8)
    plain, noisy, toned = (
        Scheme(4, **options).plan((8, 8), np.random.default_rng(0)) for options in ({}, {'noise': 9}, {'tone': True})
    )
    for options, plans in (
        ({}, [plain, noisy]),
        ({'noise': 9}, [plain, noisy]),
        ({'noise': 8}, [noisy] * 2),
        ({}, [toned] * 2),
    ):
        with pytest.raises(InvalidValueError, match='plans are of another scheme'):
            BatchPatchShuffle(4, **options)(batch, plans=plans)


def test_fresh_tones_differ_and_follow_the_generator():
    batch, shuffle = torch.full((2, 3, 8, 8), 7, dtype=torch.uint8), BatchPatchShuffle(4, tone=True)
    one, two, other = (shuffle(batch, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert (one == two).all()
    assert (one != other).any()
    assert len(one.unique()) > 12  # of 24 levels, one for each channel of each patch
    with pytest.raises(InvalidValueError, match='at most 4 channels, got 5'):
        shuffle(torch.zeros((1, 5, 8, 8), dtype=torch.uint8))


@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_fresh_permutations_are_those_that_a_plan_may_have(options):
    options = {'patch_size': 8, **options}
    shuffle, batch = BatchPatchShuffle(**options), batch_of(options)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        plan = Scheme(**options).plan(batch.shape[2:], np.random.default_rng(0)).shuffle
    orders = shuffle.permutations(400, plan.grid.shape)
    assert orders.shape == (400, plan.permutation.size)
    assert (orders.sort(dim=1).values.diff(dim=1) > 0).all()  # no patch twice
    assert len(orders.unique(dim=0)) > 390
    rows, cols = plan.shape
    window = options.get('window') or max(rows, cols)
    kept = orders.sort(dim=1).values
    rank = torch.searchsorted(kept, orders)  # of each patch among those that are kept
    place = torch.arange(rows * cols)
    groups = (place // cols // window) * 99 + place % cols // window
    assert (groups[rank] == groups).all()
    for group in groups.unique():
        here = rank[:, groups == group]
        assert here.shape[1] < 2 or (here.diff(dim=1) < 0).any(dim=1).all()  # never the identity


def test_each_place_holds_each_patch_alike_often():
    orders = BatchPatchShuffle(8).permutations(20000, (2, 3), generator=torch.Generator().manual_seed(0))
    counts = torch.stack([orders.eq(patch).sum(dim=0) for patch in range(6)]).float()
    assert (counts / 20000 - 1 / 6).abs().max() < 0.02


def test_two_patches_always_change_places():
    assert (BatchPatchShuffle(8).permutations(200, (1, 2)) == torch.tensor([1, 0])).all()


@pytest.mark.parametrize('remainder', ['error', 'pad', 'crop'])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_mixed_pixels_are_those_of_the_transform(remainder, dtype):
    batch = batch_of({} if remainder == 'error' else {'remainder': remainder}, dtype=dtype)
    scheme = Scheme(8, strategy='mixup', grid=4, remainder=remainder)
    found = BatchPatchMixup(8, 4, remainder)(batch)
    assert found.dtype == dtype
    for image, mixed in zip(images(batch), images(found)):
        np.testing.assert_allclose(mixed, scheme.plan(image.shape).apply(image), rtol=1e-6)


def test_gradients_pass():
    batch = batch_of({}, dtype=torch.float32).requires_grad_()
    (BatchPatchShuffle(8)(batch) * 2).sum().backward()
    assert (batch.grad == 2).all()


def test_what_cannot_be_shuffled_is_named():
    with pytest.raises(InvalidValueError, match='must be .B, C, H, W., got .3, 8, 8.'):
        BatchPatchShuffle(8)(torch.zeros(3, 8, 8))
    with pytest.raises(InvalidValueError, match='not a multiple of patch_size'):
        BatchPatchMixup(16)(torch.zeros(1, 3, 24, 32))
    with pytest.raises(InvalidValueError, match='nothing to shuffle'):
        BatchPatchShuffle(8)(torch.zeros(1, 3, 8, 8))
    with pytest.raises(InvalidValueError, match='2 images of 16 x 16 need as many plans'):
        BatchPatchShuffle(8)(torch.zeros(2, 3, 16, 16), plans=[Scheme(8).plan((16, 16), np.random.default_rng(0))])
