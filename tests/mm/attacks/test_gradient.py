"""Gradients give away pieces and no order."""

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks import make
from hii_mm.attacks.attackers.gradient import bag_distance
from hii_mm.attacks.evaluation.photos import sample_photos
from hii_mm.errors import AttackRefusedError


def test_more_steps_find_more_of_the_bag_and_no_places():
    photo, scheme = sample_photos(32, ['coffee.png'])['coffee'], Scheme(16)
    encrypted = scheme.plan(photo.shape, np.random.default_rng(0)).apply(photo)
    few, many = (make('gradient', steps=steps).recover(encrypted, scheme) for steps in (1, 80))
    assert many.confidence > few.confidence
    assert many.places is None
    assert many.facts['bag'] < few.facts['bag']


def test_the_bag_is_all_or_nothing():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    moved = Scheme(16).plan(image.shape, np.random.default_rng(0)).apply(image)
    assert bag_distance(moved, image, (2, 2)) == 0
    mean = image.reshape(2, 16, 2, 16, 3).mean(axis=(0, 2))
    assert bag_distance(np.tile(mean, (2, 2, 1)), image, (2, 2)) == pytest.approx(1, abs=1e-3)


def test_it_refuses_many_pieces():
    with pytest.raises(AttackRefusedError, match='at most 64 pieces, got 100'):
        make('gradient').recover(np.zeros((80, 80, 3), np.uint8), Scheme(8))
