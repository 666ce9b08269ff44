"""Scheme: built from Python, configs and manifests; its plan against the steps one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hii_mm.encryption import MasterKey, MixupParams, Scheme, ShuffleParams
from hii_mm.errors import HiiError

SHUFFLE, MIXUP, PACK = dict(type='PatchShuffle', patch_size=8, gap=1), dict(type='PatchMixup'), dict(type='PackInputs')
BOTH = Scheme.from_steps(MixupParams(16, 2), ShuffleParams(8, gap=1))


def test_strategies():
    assert Scheme(16, gap=2).steps == (ShuffleParams(16, 2),)
    assert Scheme(16, strategy='mixup', grid=4).steps == (MixupParams(16, 4),)
    both = Scheme((16, 32), strategy='both', grid=4, orient=True, remainder='pad')
    assert both.steps == (MixupParams((16, 32), 4, 'pad'), ShuffleParams((4, 8), orient=True))
    assert (both.strategy, both.patch_size, both.core_size, both.remainder) == ('both', (16, 32), (4, 8), 'pad')
    assert Scheme(16, gap=2).core_size == (12, 12)


@pytest.mark.parametrize(
    'given_, message',
    [
        (dict(strategy='mix'), "strategy must be one of 'shuffle', 'mixup', 'both', got 'mix'"),
        (dict(strategy='mixup', tone=True), "window, tone and noise need a shuffle; strategy 'mixup' has none"),
        (dict(strategy='mixup', noise=8), "tone and noise need a shuffle; strategy 'mixup' has none"),
        (dict(strategy='mixup', gap=1), "need a shuffle; strategy 'mixup' has none"),
        (dict(grid=4), "grid 4 needs mixing; strategy 'shuffle' has none"),
        (dict(strategy='both', gap=4), 'gap 4 leaves nothing of a patch of 8 x 8'),
    ],
)
def test_options_that_are_not_accepted(given_, message):
    with pytest.raises(ValueError, match=message) as error:
        Scheme(**given_)
    assert isinstance(error.value, HiiError)
    assert error.value.exit_code == 2


@pytest.mark.parametrize('steps', [[], [ShuffleParams()] * 2, [ShuffleParams(), MixupParams()]])
def test_steps_that_are_not_accepted(steps):
    with pytest.raises(ValueError, match='steps must be mixing, shuffling, or mixing and then shuffling'):
        Scheme.from_steps(*steps)


def test_equal_schemes_are_equal_and_hashable():
    assert len({Scheme(16), Scheme((16, 16)), Scheme(16, gap=1), Scheme(16, strategy='mixup')}) == 3


LABELS = [
    (Scheme(16), 'RS p 16, gap 0'),
    (Scheme(16, drop_ratio=0.25, window=4), 'RS p 16, gap 0, drop 25%, window 4'),
    (Scheme(16, drop_ratio=0.07), 'RS p 16, gap 0, drop 7%'),
    (Scheme(16, drop_ratio=0.1), 'RS p 16, gap 0, drop 10%'),
    (Scheme(16, drop_ratio=0.105), 'RS p 16, gap 0, drop 10.5%'),
    (Scheme(16, drop_ratio=0.1234567), 'RS p 16, gap 0, drop 12.34567%'),
    (Scheme((16, 8), orient=True), 'RS p 16 x 8, gap 0, orient'),
    (Scheme(16, gap=2, tone=True), 'RS p 16, gap 2, tone'),
    (Scheme(16, strategy='mixup'), 'MI p 16, grid 2'),
    (Scheme(16, strategy='both', gap=1), 'RS on MI p 16, grid 2, gap 1'),
]


@pytest.mark.parametrize('scheme, label', LABELS)
def test_labels(scheme, label):
    assert scheme.label == label
    assert repr(scheme) == f'Scheme({label})'


@pytest.mark.parametrize(
    'config, expected',
    [
        ([SHUFFLE, PACK], Scheme(8, gap=1)),
        ([MIXUP, SHUFFLE, PACK], BOTH),
        (
            dict(train_pipeline=[dict(type='RandomChoice', transforms=[[dict(type='Flip')], [SHUFFLE]])]),
            Scheme(8, gap=1),
        ),
        (
            dict(
                val_dataloader=dict(dataset=dict(pipeline=[PACK])),
                train_dataloader=dict(dataset=dict(datasets=[dict(pipeline=[dict(MIXUP, type='hii_mm.PatchMixup')])])),
            ),
            Scheme(16, strategy='mixup'),
        ),
    ],
)
def test_from_config(config, expected):
    assert Scheme.from_config(config) == expected


def test_a_config_without_encryption_is_refused():
    with pytest.raises(ValueError, match='no PatchMixup or PatchShuffle in a pipeline'):
        Scheme.from_config(dict(train_pipeline=[PACK]))


@pytest.mark.parametrize(
    'size, fit, remainder',
    [
        (None, None, 'error'),
        (None, 'pad', 'pad'),
        ([64, 64], 'crop', 'error'),
        (64, 'crop', 'crop'),
        (64, 'resize', 'error'),
    ],
)
def test_from_manifest(size, fit, remainder):
    values = dict(strategy='both', patch_size=[16, 16], gap=1, drop_ratio=0.0, orient=False, window=None, grid=2)
    values.update(size=size, fit=fit, format='png', rename=False, encrypted_patch_size=[6, 6])
    expected = Scheme(16, strategy='both', gap=1, remainder=remainder)
    assert Scheme.from_manifest(values) == Scheme.from_manifest({'version': 1, 'parameters': values}) == expected
    with pytest.raises(TypeError, match='manifest must hold an object of parameters, got 3'):
        Scheme.from_manifest(3)


@st.composite
def encrypted_scenes(draw):
    """(scheme, plan, image): all strategies, remainders, turns, gaps; two patches or more."""
    strategy = draw(st.sampled_from(['shuffle', 'mixup', 'both']))
    options = {}
    if strategy != 'mixup':
        options = dict(
            gap=draw(st.integers(0, 1)),
            orient=draw(st.booleans()),
            drop_ratio=draw(st.sampled_from([0, 0.3])),
            tone=draw(st.booleans()),
        )
    scheme = Scheme(8, strategy=strategy, remainder=draw(st.sampled_from(['pad', 'crop'])), **options)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = 2 * draw(st.integers(8, 20)), 2 * draw(st.integers(8, 20)), 3
    image = rng.integers(0, 256, shape).astype(np.uint8)
    return scheme, scheme.plan(image.shape, rng), image


@settings(max_examples=100, deadline=None)
@given(encrypted_scenes())
def test_a_plan_applies_its_steps_in_order(scene):
    scheme, plan, image = scene
    expected = image
    for step in plan.steps:
        expected = step.apply(expected)
    np.testing.assert_array_equal(plan.apply(image), expected)
    assert (plan.plain_shape, plan.encrypted_shape) == (image.shape[:2], expected.shape[:2])
    assert [type(step).__name__.replace('Plan', 'Params') for step in plan.steps] == [
        type(step).__name__ for step in scheme.steps
    ]
    if scheme.mixup is None:
        missing = plan.missing()
        np.testing.assert_array_equal(plan.invert(expected)[~missing], image[~missing])
    else:
        for undo in (lambda: plan.invert(expected), plan.missing):
            with pytest.raises(ValueError, match='mixing averaged 4 pixels into each one'):
                undo()


@settings(max_examples=100, deadline=None)
@given(encrypted_scenes(), st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_boxes_polygons_and_points_follow_a_mask(scene, ends):
    """A box on even pixels, so that it has whole pixels in a mixed image too."""
    _, plan, image = scene
    x1, x2, y1, y2 = 2 * min(ends[:2]), 2 * max(ends[:2]) + 2, 2 * min(ends[2:]), 2 * max(ends[2:]) + 2
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[y1:y2, x1:x2] = 1
    moved = plan.apply_mask(mask)
    boxes, source = plan.move_boxes([[x1, y1, min(x2, mask.shape[1]), min(y2, mask.shape[0])]])
    painted = np.zeros_like(moved)
    for left, top, right, bottom in boxes.astype(int):
        painted[top:bottom, left:right] = 1
    np.testing.assert_array_equal(painted, moved)
    assert (source == 0).all()
    restored = plan.restore_mask(moved)
    np.testing.assert_array_equal(plan.apply_mask(restored), moved)
    kept = plan.restore_mask(np.ones_like(moved)) > 0
    np.testing.assert_array_equal(restored[kept], mask[kept])
    assert plan.mixup or np.array_equal(kept, ~plan.missing())
    outlines = plan.move_polygon([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    painted[:] = 0
    for xy in outlines:
        (left, top), (right, bottom) = xy.min(0).astype(int), xy.max(0).astype(int)
        painted[top:bottom, left:right] = 1
    np.testing.assert_array_equal(painted, moved)
    xy, kept = plan.move_points([[x1 + 0.5, y1 + 0.5]])
    if kept[0]:
        assert moved[int(xy[0, 1]), int(xy[0, 0])] == 1


@pytest.mark.parametrize(
    'scheme', [Scheme(8), Scheme(8, orient=True), Scheme(8, strategy='mixup'), Scheme(8, strategy='both')]
)
def test_restored_boxes_are_the_plain_ones(scheme):
    plan = scheme.plan((64, 48), np.random.default_rng(0))
    boxes = np.array([[3.0, 5, 40, 30], [8, 8, 16, 16], [0, 0, 48, 64]])
    back, ids = plan.restore_boxes(*plan.move_boxes(boxes))
    np.testing.assert_allclose(back, boxes)
    assert ids.tolist() == [0, 1, 2]


def test_box_modes():
    plan = Scheme(8).plan((64, 64), np.random.default_rng(0))
    boxes = [[0, 0, 64, 64], [1, 1, 3, 3]]
    enclosed, source = plan.move_boxes(boxes, 'enclose')
    assert (enclosed[0].tolist(), source.tolist()) == ([0, 0, 64, 64], [0, 1])
    assert plan.move_boxes(boxes, 'keep')[0].tolist() == boxes
    with pytest.raises(ValueError, match="mode must be one of 'fragment', 'enclose', 'keep', got 'cut'"):
        plan.move_boxes(boxes, 'cut')


def test_where_randomness_comes_from():
    key, rng = MasterKey(bytes(range(32))), np.random.default_rng(0)
    scheme = Scheme(8, strategy='both')
    ids = dict(image_id='a', dataset_id='0' * 32)
    one, two = (scheme.plan((64, 64), key=key, **ids).shuffle.permutation for _ in range(2))
    np.testing.assert_array_equal(one, two)
    incomplete = dict(key=key), dict(key=key, image_id='a'), dict(key=key, dataset_id='0' * 32), ids
    for wrong in ({}, dict(rng=rng, key=key, **ids), dict(rng=rng, image_id='a'), *incomplete):
        with pytest.raises(ValueError, match='a shuffle needs either rng, or key, image_id and dataset_id'):
            scheme.plan((64, 64), **wrong)
    assert Scheme(8, strategy='mixup').plan((64, 64)).steps  # mixing needs neither
