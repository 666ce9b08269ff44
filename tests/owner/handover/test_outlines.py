"""The area of outlines is that of their union, as in COCO: against points that are counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hii_mm
from helpers.copies import annotations, write_coco
from hii_mm import Scheme
from hii_mm.handover import outlines

SIDE, FINE = 12, 32  # pixels, and points a pixel


def square(x, y, side, turn=1):
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], float)[::turn]


def counted(polygons):
    """Count the points of a fine grid inside any of the polygons, by the parity of the edges to their left."""
    at = (np.arange(SIDE * FINE) + 0.5) / FINE
    x, y = np.meshgrid(at, at)
    covered = np.zeros(x.shape, bool)
    for xy in polygons:
        inside = np.zeros(x.shape, bool)
        for (x1, y1), (x2, y2) in zip(xy, np.roll(xy, -1, axis=0), strict=True):
            if y1 != y2:
                inside ^= ((y1 <= y) != (y2 <= y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        covered |= inside
    return covered.sum() / FINE**2


FIGURE_OF_EIGHT = np.array([[0, 0], [8, 8], [8, 0], [0, 8]], float)


@pytest.mark.parametrize(
    'polygons, area',
    [
        ([], 0),
        ([square(0, 0, 10)], 100),
        ([square(0, 0, 10), square(5, 5, 10)], 175),
        ([square(0, 0, 10), square(5, 5, 10, -1)], 175),
        ([square(0, 0, 10), square(2, 2, 4)], 100),
        ([square(0, 0, 10)] * 3, 100),
        ([square(0, 0, 5), square(5, 0, 5)], 50),
        ([np.concatenate([square(0, 0, 10), [[0, 0]], square(2, 2, 4), [[2, 2]]])], 84),
        ([np.concatenate([square(0, 0, 10), [[0, 0]], square(2, 2, 4, -1), [[2, 6]]])], 84),
        ([FIGURE_OF_EIGHT], 32),
        ([FIGURE_OF_EIGHT, square(0, 0, 8)], 64),
        ([np.array([[0, 0], [9, 9], [4, 4]], float)], 0),
    ],
)
def test_areas_that_are_known(polygons, area):
    assert outlines.covered(polygons) == pytest.approx(area, abs=1e-9)


corner = st.tuples(*[st.integers(0, 4 * SIDE).map(lambda value: value / 4)] * 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(corner, min_size=3, max_size=9).map(lambda xy: np.array(xy, float)), min_size=1, max_size=4))
def test_any_outlines_cover_the_points_inside_them(polygons):
    edges = sum(np.abs(np.roll(xy, -1, axis=0) - xy).sum() for xy in polygons)
    assert outlines.covered(polygons) == pytest.approx(counted(polygons), abs=0.02 + edges / FINE)


@pytest.mark.parametrize('seed', range(5))
def test_many_edges_are_divided_and_give_the_same_area(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    polygons = [rng.random((count, 2)) * SIDE for count in rng.integers(3, 60, 3)]
    monkeypatch.setattr(outlines, '_LEAF', 1000)
    whole = outlines.covered(polygons)
    monkeypatch.setattr(outlines, '_LEAF', 64)
    assert outlines.covered(polygons) == pytest.approx(whole, abs=1e-6)


def test_a_traced_outline_of_thousands_of_points():
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    star = (200 + 20 * np.sin(40 * angle))[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1) + 300
    assert outlines.covered([star]) == pytest.approx(outlines.signed_sum([star]), rel=1e-9)
    assert outlines.covered([star, star + 1e6]) == pytest.approx(2 * outlines.signed_sum([star]), rel=1e-9)


@pytest.mark.parametrize('scheme', [Scheme(16), Scheme(16, strategy='mixup'), Scheme(16, gap=2, orient=True)])
def test_the_area_of_overlapping_and_ringed_outlines(tmp_path, key, scheme):
    ring = np.concatenate([square(8, 8, 48), [[8, 8]], square(20, 20, 16), [[20, 20]]])
    pair = [square(4, 4, 30), square(14, 14, 30)]
    rows = [
        {'bbox': [4, 4, 40, 40], 'segmentation': [xy.ravel().tolist() for xy in pair]},
        {'bbox': [8, 8, 48, 48], 'segmentation': [ring.ravel().tolist()]},
    ]
    src, ann = write_coco(tmp_path, rows)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, annotations=[ann])
    plan = scheme.plan((64, 64), np.random.default_rng(0)) if scheme.shuffle is None else scheme.plan(
        (64, 64), key=hii_mm.read_key(key), image_id='0', dataset_id=hii_mm.Manifest(tmp_path / 'dst').dataset_id
    )  # fmt: skip
    for number, cut in ((1, pair), (2, [ring])):
        mask = np.zeros((64, 64), np.uint8)
        for xy in cut:
            (x1, y1), (x2, y2) = xy.min(0).astype(int), xy.max(0).astype(int)
            mask[y1:y2, x1:x2] = 1
        if number == 2:
            mask[20:36, 20:36] = 0
        found = [row for row in annotations(tmp_path / 'dst') if row.get('instance_id', row['id']) == number]
        assert sum(row['area'] for row in found) == plan.apply_mask(mask).sum()
        if scheme.shuffle is not None:
            for row in found:
                x, y, w, h = row['bbox']
                assert row['area'] <= w * h


def test_outlines_that_are_too_intricate_are_left_out_by_name(tmp_path, key):
    rng = np.random.default_rng(0)
    tangle = (rng.random(20000) * 64).round(2).tolist()
    rows = [{'bbox': [0, 0, 32, 32], 'segmentation': [tangle]}, {'bbox': [0, 0, 9, 9]}]
    src, ann = write_coco(tmp_path, rows)
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[ann])
    assert outcome.dropped == {'segmentations whose outlines cross each other too often': 1}
    assert [name for name, _ in outcome.odd] == ['annotations/a.json: annotations[0]']
    assert {row['instance_id'] for row in annotations(tmp_path / 'dst')} == {1, 2}
