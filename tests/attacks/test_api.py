"""``hii_mm.attack``: what comes back."""

import json

import numpy as np
import pytest
from PIL import Image

import hii_mm
from helpers.attacks import figures, read_report
from hii_mm import Scheme
from hii_mm.attacks import Attack, Recovery
from hii_mm.errors import NothingToAttackError, SourceError

SHUFFLE = Scheme(16)


def test_a_scheme_is_tried_on_plain_photos(folder, tmp_path, capfd):
    (folder / 'broken.jpg').write_bytes(b'not an image')
    report = hii_mm.attack(folder, SHUFFLE, size=96, repeats=2, out=tmp_path / 'out')
    assert report.data == read_report(tmp_path / 'out')
    found = figures(report)
    assert (report.data['format'], report.data['version'], report.interrupted) == ('hii-mm attack report', 2, False)
    assert found['jigsaw']['metrics']['surviving']['mean'] > 0.9
    assert found['identity']['metrics']['surviving']['mean'] < 0.2
    assert found['linkage']['metrics']['named'] == pytest.approx(
        {'mean': 1, 'worst_decile': 1, 'low': 1, 'high': 1, 'count': 6, 'images': 3}
    )
    assert found['linkage']['main'] == 'named'
    assert found['mixup-inverse']['status'] == 'not run'
    assert len(report.data['results']) == 4 * 3 * 2
    assert len(report.skipped) == 1 and 'broken.jpg' in report.skipped[0]
    assert report.ran
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert page == report.to_html()
    for text in (page, report.verdicts['RS p 16, gap 0']['jigsaw']):
        assert 'The pictures were reassembled' in text
        assert 'secure' not in text.lower()
        assert 'anonym' not in text.lower()
    assert capfd.readouterr() == ('', '')


def test_without_out_nothing_stays_on_disk(photos, tmp_path, monkeypatch):
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    monkeypatch.setattr('tempfile.tempdir', None)
    report = hii_mm.attack(photos, SHUFFLE, size=0, repeats=1)
    assert list(tmp_path.iterdir()) == []
    page = report.to_html()
    assert '<script' not in page
    assert not [part for part in page.split('src="')[1:] if not part.startswith('data:image/png;base64,')]
    assert 'http' not in page.replace('http-equiv', '')
    assert page.count('<figure>') >= 6
    assert report.table().count('\n') == 5
    assert json.loads(report.to_json()) == report.data
    report.write(tmp_path / 'later')
    assert (tmp_path / 'later' / 'report.html').read_text() == page


def test_files_and_arrays_give_the_same_figures(folder, photos):
    arrays = {name: photos[name] for name in sorted(photos)}
    first, second, third = (
        hii_mm.attack(images, SHUFFLE, attacks=['jigsaw'], size=96, repeats=1)
        for images in (folder, arrays, list(arrays.values()))
    )
    metrics = [[row['metrics'] for row in report.data['results']] for report in (first, second, third)]
    assert metrics[0] == metrics[1] == metrics[2]
    assert [row['image'] for row in third.data['results']] == ['0', '1', '2']


def test_the_seed_decides_the_plans(photos):
    runs = [hii_mm.attack(photos, SHUFFLE, attacks=['identity'], repeats=1, size=0, seed=seed) for seed in (0, 0, 1)]
    keys = [[row['key'] for row in report.data['results']] for report in runs]
    assert keys[0] == keys[1] != keys[2]


def test_a_run_continues_where_it_stopped(photos, tmp_path):
    arguments = dict(scheme=Scheme(16, strategy='mixup'), attacks=['identity', 'mixup-inverse'], size=0, out=tmp_path)
    report = hii_mm.attack(photos, budget_minutes=0, **arguments)
    assert (report.data['results'], report.data['not_run'][0]['reason']) == ([], 'out of budget')
    assert 'was not run: out of budget' in report.verdicts['MI p 16, grid 2']['identity']
    assert report.ran
    first = hii_mm.attack(photos, limit=1, **arguments)
    assert first.skipped == ['2 more images (limit 1)']
    report = hii_mm.attack(photos, **arguments)
    assert report.data['results'][:2] == first.data['results']  # times too: these did not run again
    assert len(report.data['results']) == 6
    assert not report.data['not_run']


def test_encrypted_images_without_truth_are_shown(photos, folder, tmp_path):
    plan = SHUFFLE.plan((96, 96), np.random.default_rng(0))
    hidden = {'hidden': plan.apply(photos['flag'])}
    report = hii_mm.attack(hidden, SHUFFLE, encrypted=True, out=tmp_path / 'out')
    found = figures(report)
    assert found['jigsaw']['metrics'] == {}
    assert 'There are no plain images to compare them with' in found['jigsaw']['verdict']
    assert 'only an owner has' in found['linkage']['verdict']
    named = [row['pictures'] for row in report.data['results'] if row['attack'] == 'jigsaw']
    np.testing.assert_array_equal(Image.open(tmp_path / 'out' / named[0]['recovered']), photos['flag'])
    report = hii_mm.attack(hidden, SHUFFLE, encrypted=True, public=folder, size=96)
    assert figures(report)['linkage']['status'] == 'run'


def test_a_sweep_draws_curves(photos, tmp_path):
    report = hii_mm.attack(
        photos,
        SHUFFLE,
        attacks=['jigsaw'],
        size=112,
        sweep='gap=0:2:2,drop=0:0.5:0.5,orient,mixup',
        effort=0,
        out=tmp_path,
        limit=1,
    )
    curves = {curve['parameter']: curve['points'] for curve in report.data['sweep']}
    assert {name: [point['value'] for point in points] for name, points in curves.items()} == {
        'gap': [0, 2],
        'drop': [0, 0.5],
        'orient': ['off', 'on'],
        'mixup': ['off', 'on'],
    }
    assert curves['gap'][0]['metrics']['surviving'] > curves['gap'][1]['metrics']['surviving']
    assert all((tmp_path / f'jigsaw-{name}.png').is_file() for name in curves)
    assert len(report.data['results']) == 5  # the base scheme runs once


@pytest.mark.parametrize(
    'arguments, runs',
    [({}, 1), (dict(repeats=2), 2), (dict(sweep='gap=0:0'), 1), (dict(sweep='gap=0:0', repeats=2), 2)],
)
def test_repeats_with_and_without_a_sweep(photos, arguments, runs):
    report = hii_mm.attack(photos, SHUFFLE, attacks=['identity'], limit=1, size=0, **arguments)
    assert len(report.data['results']) == runs


def test_effort_reaches_the_attacks_that_search_and_no_other(photos, registered):
    class Searching(Attack):
        """Return the effort."""

        name = 'searching'

        def __init__(self, effort=1.0):
            self.effort = effort

        def _recover(self, image, scheme, given):
            return Recovery(facts={'effort': self.effort})

    registered(Searching)
    for given, found in (({}, 1.0), ({'effort': 4}, 4), ({'effort': 0}, 0)):
        report = hii_mm.attack(photos, SHUFFLE, attacks=['searching', 'identity'], limit=1, size=0, **given)
        assert [row['facts'] for row in report.data['results']] == [{'effort': found}, {}]


@pytest.mark.parametrize('given, jobs', [({}, 1), ({'jobs': 2}, 2), ({'jobs': 9}, 3)])
def test_the_number_of_worker_processes(photos, given, jobs):
    report = hii_mm.attack(photos, SHUFFLE, attacks=['identity'], size=0, **given)
    assert report.data['jobs'] == jobs  # 3 photos; without a number this run is too short for workers
    assert [row['image'] for row in report.data['results']] == list(photos)


def test_what_the_run_will_take_is_said_before_anything_is_attacked(photos, registered):
    said = []

    class Late(Attack):
        """Return what was said before."""

        name = 'late'

        def _recover(self, image, scheme, given):
            return Recovery(facts={'said': list(said)})

    registered(Late)
    report = hii_mm.attack(photos, SHUFFLE, attacks=['late'], limit=1, size=0, notice=said.append)
    (line,) = report.data['results'][0]['facts']['said']
    assert (line.startswith('about '), line.endswith(': 1 photo x 1 attack'), len(said)) == (True, True, 1)


def test_progress_goes_up_to_the_total(photos):
    seen = []
    hii_mm.attack(
        photos,
        SHUFFLE,
        attacks=['identity', 'mixup-inverse'],
        size=0,
        sweep='gap=0:1',
        progress=lambda done, total, note='': seen.append((done, total)),
    )
    assert seen == [(k, 12) for k in range(1, 13)]


@pytest.mark.parametrize('shape, gap', [((31, 40), 0), ((16, 16), 0), ((20, 10), 2)])
def test_images_of_less_than_two_by_two_patches(shape, gap):
    images, scheme = [np.zeros((*shape, 3), np.uint8)], Scheme(16, gap=gap, remainder='crop')
    if max(shape) < 32:
        with pytest.raises(NothingToAttackError, match='no image could be attacked'):
            hii_mm.attack(images, scheme, size=0)
    else:
        assert hii_mm.attack(images, scheme, size=0).ran


@pytest.mark.parametrize('strategy', ['shuffle', 'mixup', 'both'])
def test_constant_images_and_mixed_sizes_leave_no_nan(tmp_path, strategy):
    shapes = [(64, 64), (48, 96), (80, 33)]
    images = [np.full((*shape, 3), 90 * number, np.uint8) for number, shape in enumerate(shapes)]
    hii_mm.attack(images, Scheme(16, strategy=strategy, remainder='crop'), size=0, repeats=1, out=tmp_path)
    assert {row['image'] for row in read_report(tmp_path)['results']} == {'0', '1', '2'}


@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'float32'])
def test_arrays_of_any_kind(dtype):
    images = {'grey': np.random.default_rng(0).integers(0, 200, (64, 64)).astype(dtype)}
    for size in (0, 48):
        report = hii_mm.attack(images, SHUFFLE, attacks=['identity', 'jigsaw'], size=size, repeats=1)
        assert len(report.data['results']) == 2


def test_a_report_within_the_source_is_not_attacked(folder):
    arguments = dict(scheme=SHUFFLE, attacks=['identity'], repeats=1, size=96)
    for _ in range(2):
        report = hii_mm.attack(folder, public=folder, out=folder / 'report', **arguments)
        assert {row['image'] for row in report.data['results']} == {'face', 'flag', 'suit'}
    assert len(list(folder.rglob('*.png'))) > 6
    with pytest.raises(SourceError, match='photos outside of the report folder'):
        hii_mm.attack(folder, out=folder, **arguments)
