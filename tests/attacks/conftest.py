"""Fixtures of the attacks' tests: photographs, noise, and attacks that are registered for one test. No torch."""

import numpy as np
import pytest
from PIL import Image

from helpers.attacks import SCENES
from hii_mm.attacks import base
from hii_mm.attacks.evaluation.photos import sample_photos


@pytest.fixture(scope='session')
def photos(photo):
    """Three different photographs, (96, 96, 3) uint8, by name."""
    parts = {'face': photo[:192, 120:312], 'flag': photo[120:312, :192], 'suit': photo[320:, 160:352]}
    return {name: np.asarray(Image.fromarray(part).resize((96, 96))) for name, part in parts.items()}


@pytest.fixture(scope='session')
def scenes():
    """scikit-image's photographs, (224, 224, 3) uint8, by name."""
    return sample_photos(224, SCENES)


@pytest.fixture
def folder(photos, tmp_path):
    """A folder with the photographs."""
    root = tmp_path / 'photos'
    root.mkdir()
    for name, picture in photos.items():
        Image.fromarray(picture).save(root / f'{name}.png')
    return root


@pytest.fixture
def registered():
    """Register attacks from outside of the package for one test: a function of the class."""
    added = []

    def _register(cls):
        added.append(base.register(cls).name)
        return cls

    yield _register
    for name in added:
        base.ATTACKS.pop(name)
