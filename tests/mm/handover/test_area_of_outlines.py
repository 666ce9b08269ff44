"""The area of outlines that an owner's copy has, against COCO's own masks: the owner needs no pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from hii_mm.handover import outlines

SIDE, FINE = 40, 64  # pixels, and points a pixel


@pytest.mark.parametrize('seed', range(12))
def test_the_union_is_that_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    polygons = [(rng.random((count, 2)) * SIDE).round(2) for count in rng.integers(3, 9, rng.integers(1, 5))]
    scaled = [(xy * FINE).ravel().tolist() for xy in polygons]
    runs = coco_mask.merge(coco_mask.frPyObjects(scaled, SIDE * FINE, SIDE * FINE))
    edges = sum(np.abs(np.roll(xy, -1, axis=0) - xy).sum() for xy in polygons)
    assert outlines.covered(polygons) == pytest.approx(coco_mask.area(runs) / FINE**2, abs=edges / FINE)
