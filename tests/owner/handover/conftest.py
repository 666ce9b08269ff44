"""Fixtures of the tests of encrypted copies."""

import pytest

import hii_mm
from helpers.copies import write_images


@pytest.fixture
def key(tmp_path):
    """A key file."""
    hii_mm.write_new_key(tmp_path / 'key')
    return tmp_path / 'key'


@pytest.fixture
def src(tmp_path):
    """A folder of two classes with twelve images each."""
    return write_images(tmp_path / 'src', [f'class{i % 2}/{i:02}.png' for i in range(24)], (48, 64, 3))


@pytest.fixture
def copy(tmp_path, src, key):
    """An encrypted copy of ``src``."""
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=hii_mm.Scheme(16))
    return tmp_path / 'dst'
