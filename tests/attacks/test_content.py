"""tools/dev/content*.py: intervals and counts of shares, controls that pass and controls that fail."""

import importlib
import json

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from helpers import ROOT
from hii_mm import Scheme
from hii_mm.attacks.evaluation.judges import available


@pytest.fixture
def tool(monkeypatch):
    """Import a module of tools/dev."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'dev'))
    return importlib.import_module


@pytest.mark.parametrize(('hits', 'count'), [(0, 1), (0, 8), (3, 8), (8, 8), (40, 107)])
def test_wilson_is_that_of_scipy(tool, hits, count):
    expected = binomtest(hits, count).proportion_ci(method='wilson')
    assert tool('content_rows').wilson(hits / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_a_share_of_ones_and_zeros_has_that_interval_and_another_mean_a_narrower_one(tool):
    share = tool('content_rows').share
    assert share([1.0, 0.0, 0.0, 0.0])[::3] == [0.25, 4]
    assert share([1.0, 0.0, 0.0, 0.0])[1:3] == pytest.approx([0.0456, 0.6994], abs=1e-4)
    assert share([0.5, 0.5, 0.5]) == [0.5, 0.5, 0.5, 3]


def test_a_figure_of_the_audit_is_a_whole_number_of_photographs_or_refused(tool):
    counted = tool('content_rows').counted
    assert counted(0.190476, 42)[::3] == [0.1905, 42]
    with pytest.raises(ValueError, match='0.19 is no share of 42 photographs'):
        counted(0.19, 42)


def test_rows_keep_sets_and_presets_apart_and_give_the_control_a_row(tool, tmp_path):
    def put(preset, name, looks):
        (tmp_path / 'letters-24' / preset).mkdir(parents=True, exist_ok=True)
        (tmp_path / 'letters-24' / preset / f'{name}.json').write_text(json.dumps(looks))

    for name, half in (('a', 1.0), ('b', 0.0)):
        put('plain', name, {'encrypted': {'page': 1.0}, 'control': {'page': 0.0}})
        put('light-v1', name, {'encrypted': {'page': 0.0}, 'recovered': {'page': half}, 'seconds': 1.0})
    rows = tool('content_rows').rows_of(
        tmp_path, ['letters-24', 'scans'], {'light-v1': 'context', 'strong-v1': 'context'}
    )
    assert [row['preset'] for row in rows] == ['plain', 'another picture', 'light-v1']
    assert [row['looks']['encrypted']['page'][0] for row in rows] == [1, 0, 0]
    assert rows[2]['looks']['recovered']['page'][::3] == [0.5, 2]
    assert (rows[2]['attack'], rows[2]['seconds'], 'control' in rows[0]['looks']) == ('context', 1, False)


def test_pages_of_every_size_are_the_same_each_time_and_hold_their_lines_in_the_picture(tool):
    pictures = tool('content_pictures')
    for size in pictures.LETTERS:
        found, texts = pictures.pages(size)
        again, _ = pictures.pages(size)
        assert len(found) == pictures.PAGES == len({page.tobytes() for page in found.values()})
        for name, page in found.items():
            assert np.array_equal(page, again[name])
            assert page.shape == (224, 224, 3)
            ink = (page < 128).any(axis=2)
            assert not ink[:, -2:].any()  # no line is cut off
            rows = np.diff(ink.any(axis=1).astype(int)).clip(0).sum()
            assert rows >= len(texts[name]) >= 3


@pytest.mark.skipif(available()['characters'] is not None, reason=str(available()['characters']))
def test_a_page_is_read_and_neither_its_shuffle_nor_another_page(tool):
    found, texts = tool('content_pictures').pages(24)
    name, other = list(found)[:2]
    judge = tool('content_judges').Texts({key: found[key] for key in (name, other)}, texts)
    assert judge.figures(name, found[name])['page'] == 1
    assert judge.control(name)['page'] == 0
    encrypted = Scheme(16).plan((224, 224), np.random.default_rng(0)).apply(found[name])
    assert judge.figures(name, encrypted)['page'] == 0


@pytest.mark.skipif(available()['people'] is not None, reason=str(available()['people']))
def test_a_face_is_recognised_and_neither_its_shuffle_nor_another_person(tool, photo):
    small = tool('content_pictures').small_faces()
    face = np.asarray(Image.fromarray(photo[:256, 96:352]).resize((224, 224)))
    judge = tool('content_judges').Faces({'collins/a': face, **dict(list(small.items())[:2])})
    assert judge.figures('collins/a', face) == {'recognised': 1, 'named': 1}
    assert judge.control('collins/a') == {'recognised': 0, 'named': 0}
    encrypted = Scheme(16).plan((224, 224), np.random.default_rng(0)).apply(face)
    assert judge.figures('collins/a', encrypted)['recognised'] == 0
