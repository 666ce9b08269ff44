"""Boxes that move with patches, against masks that are painted and shuffled."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.shuffles import cases
from hii_mm.encryption import ShuffleParams, enclose_boxes, fragment_boxes, locate_boxes, restore_boxes

SETTINGS = settings(max_examples=200, deadline=None)


@st.composite
def scenes(draw):
    """(plan, whole-pixel boxes): some outside the image in part or whole, some on patch borders, maybe none."""
    image, params, rng = draw(cases())
    h, w = image.shape[:2]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        plan = params.plan((h, w), rng)
    x, y = st.integers(-4, w + 4), st.integers(-4, h + 4)
    corners = draw(st.lists(st.tuples(x, y, x, y), max_size=4))
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    return plan, np.array(boxes, np.float32).reshape(-1, 4)


def painted(shape, boxes):
    """uint8 (h, w): 1 inside the boxes."""
    mask = np.zeros(shape, np.uint8)
    for x1, y1, x2, y2 in np.asarray(boxes, int):
        mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = 1
    return mask


@SETTINGS
@given(scenes())
def test_fragments_cover_the_moved_mask_and_nothing_else(scene):
    plan, boxes = scene
    fragments, source = fragment_boxes(plan, boxes)
    assert (np.diff(source) >= 0).all()
    for i, box in enumerate(boxes):
        mask = plan.move(painted(plan.plain_shape, [box]), 0)
        mine = fragments[source == i]
        np.testing.assert_array_equal(painted(plan.encrypted_shape, mine), mask)
        assert (mine == mine.astype(int)).all()
        area = (mine[:, 2] - mine[:, 0]) * (mine[:, 3] - mine[:, 1])
        assert (area > 0).all()
        assert area.sum() == mask.sum()  # they do not overlap


@SETTINGS
@given(scenes())
def test_no_two_fragments_could_still_be_merged(scene):
    plan, boxes = scene
    fragments, source = fragment_boxes(plan, boxes)
    for i in set(source):
        mine = [tuple(f) for f in fragments[source == i]]
        for a in mine:
            for b in mine:
                assert not (a[2] == b[0] and (a[1], a[3]) == (b[1], b[3]))
                assert not (a[3] == b[1] and (a[0], a[2]) == (b[0], b[2]))


@SETTINGS
@given(scenes())
def test_enclosing_boxes_are_the_smallest_around_the_moved_mask(scene):
    plan, boxes = scene
    around, source = enclose_boxes(plan, boxes)
    expected = {}
    for i, box in enumerate(boxes):
        ys, xs = np.nonzero(plan.move(painted(plan.plain_shape, [box]), 0))
        if len(ys):
            expected[i] = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert dict(zip(source.tolist(), map(tuple, around))) == expected


@SETTINGS
@given(scenes())
def test_fragments_give_back_the_source_box(scene):
    plan, boxes = scene
    fragments, source = fragment_boxes(plan, boxes)
    back, ids = restore_boxes(plan, fragments, source)
    np.testing.assert_array_equal(ids, np.unique(source))
    survived = ~plan.missing()
    for box, i in zip(back, ids):
        ys, xs = np.nonzero(painted(plan.plain_shape, [boxes[i]]) & survived)
        assert tuple(box) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    if survived.all():
        h, w = plan.plain_shape
        clipped = np.clip(boxes, 0, [w, h, w, h])
        seen = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
        np.testing.assert_array_equal(back, clipped[seen])


def test_fractions_of_a_pixel_are_kept():
    plan = ShuffleParams(16, orient=True).plan((64, 64), np.random.default_rng(3))
    boxes = np.array([[3.25, 7.5, 40.75, 50.125], [16, 16, 32, 32]])
    fragments, source = fragment_boxes(plan, boxes)
    np.testing.assert_allclose(restore_boxes(plan, fragments, source)[0], boxes, atol=1e-12)
    assert (source == 1).sum() == 1


@pytest.mark.parametrize('box', [[np.nan, 0, 8, 8], [0, 0, np.inf, 8], [8, 0, 4, 8], [4, 4, 4, 8], [-9, -9, -1, -1]])
def test_boxes_without_area_are_left_out(box):
    plan = ShuffleParams(16).plan((64, 64), np.random.default_rng(0))
    fragments, source = fragment_boxes(plan, np.array([box, [0, 0, 4, 4]], np.float32))
    assert source.tolist() == [1]
    assert enclose_boxes(plan, [box])[0].shape == (0, 4)


def test_no_boxes():
    plan = ShuffleParams(16).plan((64, 64), np.random.default_rng(0))
    for function in (fragment_boxes, enclose_boxes):
        moved, source = function(plan, np.empty((0, 4), np.float32))
        assert (moved.shape, source.shape) == ((0, 4), (0,))


@SETTINGS
@given(scenes())
def test_located_fragments_show_plain_pixels_of_the_fragment(scene):
    plan, boxes = scene
    moved, _ = fragment_boxes(plan, boxes)
    for box in moved:
        found, source = locate_boxes(plan, box[None])
        shown = replace(plan, tone=None, noise=None).invert(painted(plan.encrypted_shape, box[None]))
        covered = painted(plan.plain_shape, found) * ~plan.missing()
        assert len(found) and (source == 0).all() and covered.any() and (covered <= shown).all()


def test_a_sliver_of_a_found_box_is_not_located():
    plan = ShuffleParams(8).plan((32, 32), np.random.default_rng(0))
    row, col = np.divmod(int(plan.permutation[0]), 4)
    found, source = locate_boxes(
        plan, np.array([[1, 2, 9, 7], [40, 40, 50, 50.0]])
    )  # one pixel of it in the next patch
    assert source.tolist() == [0]
    np.testing.assert_allclose(found, [[8 * col + 1, 8 * row + 2, 8 * col + 8, 8 * row + 7]])
