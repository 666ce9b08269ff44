"""Fixtures of the tests of the project."""

import shutil

import pytest

from helpers import ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of all that the check reads."""
    for name in ('configs', 'zoo'):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('__pycache__', 'frontier'))
    shutil.copy(ROOT / 'model-index.yml', tmp_path)
    return tmp_path
