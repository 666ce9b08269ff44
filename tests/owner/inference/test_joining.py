"""Fragments are put together to the boxes that they were cut from."""

import warnings

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.encryption import Plan
from hii_mm.errors import InvalidValueError
from hii_mm.inference.fragments import Fragments
from hii_mm.inference.joining import join

EXACT = dict(threshold=0.99, near=1e-9)


def boxes_apart(rng, h, w, most):
    """(n, 4) boxes in a picture of (h, w), some of whole pixels; no two touch."""
    corners = np.sort(rng.uniform(0, 1, (60, 2, 1)) + rng.uniform(-0.3, 0.3, (60, 2, 2)), axis=1).clip(0, 1) * [w, h]
    corners[::3] = corners[::3].round()
    found = np.empty((0, 4))
    for box in corners.reshape(-1, 4):
        apart = (box[:2] > found[:, 2:]).any(1) | (box[2:] < found[:, :2]).any(1)
        if apart.all() and (box[2:] > box[:2]).all() and len(found) < most:
            found = np.vstack([found, box])
    return found


def cases(count, seed=0, **scheme):
    """Yield (plan, true boxes, labels, scores of the objects)."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        side = int(rng.choice([4, 8, 16]))
        h, w = side * rng.integers([1, 2], 6)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            window = rng.choice([None, 2, 3])
            plan = Scheme(side, orient=bool(rng.integers(2)), window=window, **scheme).plan((h, w), rng)
        boxes = boxes_apart(rng, h, w, 12)
        yield plan, boxes, rng.integers(3, size=len(boxes)), rng.permutation(len(boxes)) / 16 + 0.25


def in_order(boxes, labels):
    """The objects as rows, sorted by their boxes."""
    rows = np.column_stack([boxes, labels]).reshape(-1, 5)
    return rows[np.lexsort(rows.T.round(6))]


def test_true_fragments_become_the_true_boxes():
    """Thousands of objects come back exactly, whatever the shuffle; neighbours are often of one class."""
    objects = 0
    for plan, boxes, labels, scores in cases(400):
        moved, source = plan.move_boxes(boxes)
        found = join(plan, Fragments.of_labels(moved, scores[source], labels[source], 3), **EXACT)
        np.testing.assert_allclose(in_order(found.boxes, found.labels), in_order(boxes, labels), rtol=0, atol=1e-9)
        objects += len(boxes)
    assert objects > 2000


def test_gaps_are_bridged():
    """The boxes are those around what survived. Each object has a class of its own: a gap hides where one ends."""
    for plan, boxes, _, scores in cases(40, gap=1):
        moved, source = plan.move_boxes(boxes)
        around, kept = plan.restore_boxes(moved, source)
        found = join(plan, Fragments.of_labels(moved, scores[source], source, 12), **EXACT)
        np.testing.assert_allclose(in_order(found.boxes, found.labels), in_order(around, kept), rtol=0, atol=1e-9)


def test_mixed_and_shuffled():
    plan = Scheme(16, strategy='both', grid=2).plan((64, 96), np.random.default_rng(0))
    boxes = np.array([[4.0, 6, 50, 40], [60, 10, 90, 62]])
    moved, source = plan.move_boxes(boxes)
    found = join(plan, Fragments.of_labels(moved, np.array([0.9, 0.8])[source], source, 2), **EXACT)
    np.testing.assert_allclose(found.boxes, boxes)


def crossing(orient=False, seed=0):
    """A plan of 2 x 2 patches of 8 and the four fragments of one box, in order of their plain patches."""
    plan = Scheme(8, orient=orient).plan((16, 16), np.random.default_rng(seed))
    cut = np.array([[3.0, 2, 8, 8], [8, 2, 13, 8], [3, 8, 8, 14], [8, 8, 13, 14]])
    return plan, np.vstack([plan.move_boxes(box[None])[0] for box in cut])


@pytest.mark.parametrize('orient', [False, True])
def test_sides_decide_and_turn_with_their_patches(orient):
    """The detector says that the object ends between left and right: two objects, in every orientation of patches."""
    plain = np.array([[0.0, 0, 0, 1], [0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0]])  # left, top, right, bottom
    for seed in range(20):
        plan, moved = crossing(orient, seed)
        sides = np.array([seen_sides(plan, patch, row) for patch, row in enumerate(plain)])
        found = join(plan, Fragments(moved, np.full((4, 1), 0.9), sides))
        assert sorted(map(tuple, found.boxes)) == [(3, 2, 8, 14), (8, 2, 13, 14)]
        all_on = join(plan, Fragments(moved, np.full((4, 1), 0.9), np.ones((4, 4))))
        assert all_on.boxes.tolist() == [[3, 2, 13, 14]]


def seen_sides(plan, patch, plain):
    """The sides of a plain patch as they lie in the encrypted picture: each a strip that moves with the pixels."""
    x, y = 8 * (patch % 2), 8 * (patch // 2)
    strips = np.array([[0, 3, 1, 5], [3, 0, 5, 1], [7, 3, 8, 5], [3, 7, 5, 8]]) + [x, y, x, y]
    seen = np.zeros(4)
    for value, strip in zip(plain, strips):
        ((x0, y0, x1, y1),) = plan.move_boxes(strip[None].astype(float))[0] % 8  # an edge at 8 is 0
        seen[[x0 == 0 and x1 == 1, y0 == 0 and y1 == 1, x0 == 7, y0 == 7].index(True)] = value
    return seen


def test_embeddings_part_what_touches():
    plan, moved = crossing()
    chances, ones = np.full((4, 2), 0.4), np.ones((4, 4))
    apart = np.array([[0.0], [5], [0], [5]])
    assert len(join(plan, Fragments(moved, chances, ones, apart)).boxes) == 2
    assert len(join(plan, Fragments(moved, chances, ones, 0 * apart)).boxes) == 1


def test_the_score_is_the_mean_over_the_area_and_less_for_few_fragments():
    plan, moved = crossing()
    chances = np.array([[0.8, 0.1], [0.2, 0.7], [0.8, 0.1], [0.8, 0.1]])
    fragments = Fragments(moved, chances, np.ones((4, 4)), np.zeros((4, 1)))
    found = join(plan, fragments)
    assert found.labels.tolist() == [0]
    assert found.scores == pytest.approx([0.65 * 15 / 16])
    both = join(plan, fragments, classes=2)
    assert both.labels.tolist() == [0, 1]
    assert both.scores == pytest.approx(np.array([0.65, 0.25]) * 15 / 16)
    assert (both.boxes == found.boxes).all()
    alone = join(plan, Fragments(moved[:1], chances[:1]))
    assert alone.scores == pytest.approx([0.4])


def test_nothing_found():
    plan, _ = crossing()
    found = join(plan, Fragments.of_labels(np.empty((0, 4)), np.empty(0), np.empty(0, int), 3))
    assert [part.shape for part in found] == [(0, 4), (0,), (0,)]


@pytest.mark.parametrize('wrong', [dict(threshold=0), dict(threshold=1.5), dict(near=0.5), dict(near=-1)])
def test_values_that_are_not_accepted(wrong):
    plan, moved = crossing()
    with pytest.raises(
        InvalidValueError, match=rf'{next(iter(wrong))} must be in .*, got {next(iter(wrong.values()))}'
    ):
        join(plan, Fragments(moved, np.ones((4, 1))), **wrong)


def test_a_plan_that_does_not_shuffle():
    plan = Scheme(8, strategy='mixup').plan((16, 16))
    assert isinstance(plan, Plan)
    with pytest.raises(InvalidValueError, match='does not shuffle'):
        join(plan, Fragments(np.empty((0, 4)), np.empty((0, 1))))
