"""The table of models that fit: cheap rows of it are measured again."""

import importlib
import json
import sys

import pytest

from helpers import ROOT

ROWS = {row['model']: row for row in json.loads((ROOT / 'docs/data/fits.json').read_text())['rows']}


@pytest.fixture(scope='module')
def fits():
    sys.path[:0] = [str(ROOT / 'benchmarks')]
    yield importlib.import_module('fits')
    sys.path.remove(str(ROOT / 'benchmarks'))


def test_every_model_has_a_row(fits):
    assert list(ROWS) == list(fits.MODELS_TRIED)


@pytest.mark.parametrize('name', ['PEViT', 'ViT', 'ResNet', 'PEYOLOS', 'DETR'])
def test_rows_are_measured_again(fits, name):
    row = fits.row(name)
    for strategy in fits.STRATEGIES:
        assert row[strategy] == ROWS[name][strategy]
    assert (row['change'] < 1e-5) == (ROWS[name]['change'] < 1e-5)
