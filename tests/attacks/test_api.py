"""``hii_mm.attack`` and ``train_attack``: arguments, refusals, results; attacks from outside of the package."""

import json
import os
import signal
import sys
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import hii_mm
from hii_mm import Scheme
from hii_mm.attacks import Attack, Recovery, api, arguments
from hii_mm.attacks.base import NEEDS
from hii_mm.errors import (
    CheckpointError,
    HiiError,
    InvalidTypeError,
    MissingPackageError,
    NothingToAttackError,
    SourceError,
    UsageError,
)

SHUFFLE = Scheme(16)


def figures(report, setting=0):
    return {entry['name']: entry for entry in report.data['settings'][setting]['attacks']}


def read(out):
    """The report, with NaN refused."""
    text = (out / 'report.json').read_text()
    return json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} in report.json'))


# what comes back


def test_a_scheme_is_tried_on_plain_photos(folder, tmp_path, capfd):
    (folder / 'broken.jpg').write_bytes(b'not an image')
    report = hii_mm.attack(folder, SHUFFLE, size=96, repeats=2, out=tmp_path / 'out')
    assert report.data == read(tmp_path / 'out')
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
    assert {row['image'] for row in read(tmp_path)['results']} == {'0', '1', '2'}


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


# what is refused before anything runs


@pytest.mark.parametrize(
    'arguments, error, message',
    [
        (dict(scheme=None), SourceError, 'encrypted with an unknown scheme'),
        (dict(images='none'), SourceError, 'no such file or folder: none'),
        (dict(images='EMPTY'), SourceError, 'no pictures in'),
        (dict(images=[]), SourceError, 'no images to attack'),
        (dict(images=['FOLDER', np.zeros((32, 32))]), InvalidTypeError, 'all paths or all arrays'),
        (dict(images=np.zeros((32, 32), np.uint8)), InvalidTypeError, 'put a single array into a list'),
        (dict(images=[np.zeros((32, 32))]), InvalidTypeError, 'dtype must be one of'),
        (dict(scheme='shuffle'), InvalidTypeError, 'scheme must be a hii_mm.Scheme, got str'),
        (dict(attacks=['magic']), UsageError, "got 'magic'"),
        (dict(attacks=[]), UsageError, 'no attacks are named'),
        (dict(attacks='jigsaw'), InvalidTypeError, 'must be a list of names'),
        (dict(truth='x'), SourceError, 'truth and key .* go with'),
        (dict(key='x'), SourceError, 'truth and key .* go with'),
        (dict(sweep='zoom'), UsageError, "got 'zoom'"),
        (dict(scheme=Scheme(16, strategy='mixup'), sweep='gap=0:1'), UsageError, 'a sweep varies a shuffle'),
        (dict(encrypted=True, sweep='gap=0:1'), UsageError, 'a sweep needs plain photos'),
        (dict(public='EMPTY'), SourceError, 'no pictures in'),
        (dict(limit=0), UsageError, 'limit must be at least 1'),
        (dict(repeats=0), UsageError, 'repeats must be at least 1'),
        (dict(size=-1), UsageError, 'size must be at least 0'),
        (dict(seed=-1), UsageError, 'seed must be at least 0'),
        (dict(budget_minutes=float('nan')), UsageError, 'budget_minutes must be'),
        (dict(checkpoints={'magic': 'x'}), UsageError, "for one of context, .*; got one for 'magic'"),
        (dict(checkpoints={'jigsaw': 'x'}), UsageError, "got one for 'jigsaw'"),
        (dict(checkpoints={'parrot': 'x'}), UsageError, 'x is for parrot, which is not among identity'),
        (dict(attacks=['parrot'], checkpoints={'parrot': 'none.pth'}), CheckpointError, 'not found: none.pth'),
        (dict(attacks=['parrot'], checkpoints={'parrot': 'FOLDER'}), CheckpointError, 'checkpoint not found'),
    ],
)
def test_arguments_that_are_not_accepted(folder, tmp_path, arguments, error, message):
    (tmp_path / 'empty').mkdir()
    places = {'FOLDER': folder, 'EMPTY': tmp_path / 'empty'}
    given = {'images': folder, 'scheme': SHUFFLE} | arguments
    given = {name: places.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
    with pytest.raises(error, match=message):
        hii_mm.attack(given.pop('images'), given.pop('scheme'), out=tmp_path / 'out', **given)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('out', ['file', 'file/below'])
def test_out_that_is_a_file(photos, tmp_path, out):
    (tmp_path / 'file').write_text('kept')
    with pytest.raises(UsageError, match='file is not a folder'):
        hii_mm.attack(photos, SHUFFLE, out=tmp_path / out)
    assert (tmp_path / 'file').read_text() == 'kept'


def test_a_folder_that_is_not_writable(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda *given: False)  # root may write everywhere
    with pytest.raises(UsageError, match='is not writable'):
        hii_mm.attack(photos, SHUFFLE, out=tmp_path / 'new')


@pytest.mark.parametrize('package', arguments.PACKAGES)
def test_a_package_is_missed_before_the_attacks(photos, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"attacks need {package} .*Run: pip install '\.\[attacks\]'"):
        hii_mm.attack(photos, SHUFFLE, out=tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


# interrupts


def interrupt_after(count):
    """A progress callback that stops the run as Ctrl-C does after some results."""

    def progress(done, total, note=''):
        if done == count:
            os.kill(os.getpid(), signal.SIGINT)

    return progress


def test_an_interrupt_leaves_a_report_of_what_ran(photos, tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    try:
        report = hii_mm.attack(
            photos,
            SHUFFLE,
            attacks=['identity', 'jigsaw'],
            size=0,
            repeats=2,
            out=tmp_path,
            progress=interrupt_after(3),
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert report.interrupted
    assert read(tmp_path)['interrupted']
    assert len(report.data['results']) == 3
    assert {row['reason'] for row in report.data['not_run']} == {'interrupted'}
    assert sum(row['runs'] for row in report.data['not_run']) == 9
    assert 'This run was interrupted' in (tmp_path / 'report.html').read_text()


@pytest.mark.parametrize('whole', [0, 1])
def test_an_interrupt_while_encrypting_lists_the_rest(photos, tmp_path, monkeypatch, whole):
    calls, plan = [], Scheme.plan

    def interrupt(self, *given, **more):
        calls.append(self)
        if len(calls) > 6 * whole:  # three images, twice
            raise KeyboardInterrupt
        return plan(self, *given, **more)

    monkeypatch.setattr(Scheme, 'plan', interrupt)
    report = hii_mm.attack(photos, SHUFFLE, attacks=['identity'], size=0, sweep='gap=0:2', repeats=2)
    assert report.interrupted
    assert len(report.data['results']) == 6 * whole
    left = {(row['setting'], row['reason'], row['runs']) for row in report.data['not_run']}
    assert left == {(f'RS p 16, gap {gap}', 'interrupted', 6) for gap in range(whole, 3)}


# attacks from outside of the package


@pytest.mark.parametrize('need', [need for need in NEEDS if need != 'annotations'])  # only copies have those
def test_an_attack_from_outside_gets_what_it_needs(photos, registered, need):
    seen = []

    @registered
    class Mine(Attack):
        name, source, cost = 'mine', 'a test', 'nothing'
        needs = (need,)
        main = 'ssim'

        def refuses(self, scheme):
            return None if scheme.shuffle else 'nothing was shuffled'

        def _recover(self, image, scheme, given):
            seen.append({name: len(getattr(given, name)) for name in NEEDS})
            assert given.plain_shape == (96, 96)
            return Recovery(image=image, facts={'count': len(getattr(given, need))}, confidence=0.5)

        @classmethod
        def summarise(cls, facts):
            return {'counts': [fact['count'] for fact in facts]}

        @classmethod
        def words(cls, figures):
            return f'It had {figures.facts["counts"]} and got SSIM {figures.means["ssim"]:.2f}.'

    public = [photo[::-1].copy() for photo in photos.values()][:2]
    report = hii_mm.attack(photos, SHUFFLE, attacks=['identity', 'mine'], size=0, repeats=1, public=public)
    counts = {'public': 2, 'candidates': 5, 'pairs': 1, 'views': 2, 'annotations': 0}
    assert seen == [{name: counts[name] * (name == need) for name in NEEDS}] * 3
    entry = figures(report)['mine']
    assert (entry['status'], entry['main']) == ('run', 'ssim')
    assert entry['facts'] == {'counts': [counts[need]] * 3}
    assert f'mine: It had {[counts[need]] * 3} and got SSIM 0.' in entry['verdict']
    assert 'It had [' in report.to_html()
    assert 'mine' in report.table()


@pytest.mark.parametrize(
    'need, reason',
    [
        ('public', 'needs public photos (--public)'),
        ('candidates', 'which only an owner has'),
        ('pairs', 'which only an owner has'),
        ('views', 'which only an owner has'),
        ('annotations', 'a copy made with --ann'),
    ],
)
def test_an_attack_from_outside_does_not_run_without_what_it_needs(photos, registered, need, reason):
    @registered
    class Mine(Attack):
        name, source, cost, needs = 'mine', 'a test', 'nothing', (need,)

    hidden = [SHUFFLE.plan((96, 96), np.random.default_rng(0)).apply(photos['flag'])]
    report = hii_mm.attack(hidden, SHUFFLE, attacks=['mine'], encrypted=True)
    assert reason in figures(report)['mine']['verdict']
    assert not report.ran


# training


class Pupil:
    """A trainer without torch: it counts its photos."""

    steps, labelled = 4, False
    made: ClassVar[list] = []
    last = 0.5

    def __init__(self, scheme, shape, seed=0):
        if scheme.mixup:
            raise hii_mm.errors.AttackRefusedError('taught: nothing to learn')
        self.made.append((scheme, shape, seed))

    def train(self, photos, labels=None, steps=None, progress=None):
        self.given = [photo.shape for photo in photos], labels
        count = self.steps if steps is None else steps
        for step in range(count):
            progress(step + 1, count, 'loss 1')
        return [1.0] * (count - 1) + [self.last]

    def save(self, path):
        with open(path, 'w') as file:
            json.dump(self.given, file)


@pytest.fixture
def taught(registered, monkeypatch):
    """An attack from outside that learns: it recovers what its checkpoint says."""

    class Taught(Attack):
        name, source, cost, trainer = 'taught', 'a test', 'nothing', Pupil

        def __init__(self, checkpoint=None):
            self.checkpoint = checkpoint

        def refuses(self, scheme):
            return None if self.checkpoint else 'no checkpoint'

        def _recover(self, image, scheme, given):
            with open(self.checkpoint) as file:
                return Recovery(facts={'checkpoint': json.load(file)})

    monkeypatch.setattr(Pupil, 'made', [])
    return registered(Taught)


def test_an_attack_is_trained_and_attacks_with_its_checkpoint(taught, folder, photos, tmp_path):
    seen = []
    done = api.train_attack(
        'taught',
        folder,
        SHUFFLE,
        tmp_path / 'new' / 'a.json',
        steps=3,
        seed=7,
        size=64,
        progress=lambda *a: seen.append(a),
    )
    assert (done.path, done.attack, done.scheme, done.photos) == (tmp_path / 'new' / 'a.json', 'taught', SHUFFLE, 3)
    assert done.losses == [1, 1, 0.5]
    assert Pupil.made == [(SHUFFLE, (64, 64), 7)]
    assert seen == [(1, 3, 'loss 1'), (2, 3, 'loss 1'), (3, 3, 'loss 1')]
    assert 'taught' in api.trainable()
    report = hii_mm.attack(photos, SHUFFLE, attacks=['taught'], size=0, repeats=1, checkpoints={'taught': done.path})
    assert report.data['results'][0]['facts'] == {'checkpoint': [[[96, 96, 3]] * 3, None]}
    report = hii_mm.attack(photos, SHUFFLE, attacks=['taught'], size=0, repeats=1)
    assert figures(report)['taught']['reasons'] == ['no checkpoint']


def test_labels_are_the_names_of_the_folders(taught, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(Pupil, 'labelled', True)
    for name, picture in photos.items():
        (tmp_path / 'src' / name).mkdir(parents=True)
        Image.fromarray(picture[..., 0]).save(tmp_path / 'src' / name / 'a.png')
    api.train_attack('taught', tmp_path / 'src', SHUFFLE, tmp_path / 'a.json', size=64)
    assert json.loads((tmp_path / 'a.json').read_text()) == [[[64, 64, 3]] * 3, ['face', 'flag', 'suit']]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(name='jigsaw'), 'jigsaw does not learn; choose one of'),
        (dict(name='magic'), "got 'magic'"),
        (dict(scheme=Scheme(16, strategy='mixup')), 'nothing to learn'),
        (dict(steps=0), 'steps must be at least 1'),
        (dict(seed=-1), 'seed must be at least 0'),
        (dict(size=0), 'size must be at least 1'),
        (dict(out='FOLDER'), 'must be a file, but .* is a folder'),
        (dict(out='FILE/a.pth'), 'is not a folder'),
        (dict(photos='FILE'), 'can be read'),
    ],
)
def test_training_refuses_before_it_trains(taught, folder, tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr(Pupil, 'train', lambda *given: pytest.fail('it was trained'))
    (tmp_path / 'file').write_text('')
    given = dict(name='taught', photos=folder, scheme=SHUFFLE, out=tmp_path / 'a.pth') | arguments
    for name, value in given.items():
        if isinstance(value, str):
            given[name] = value.replace('FOLDER', str(folder)).replace('FILE', str(tmp_path / 'file'))
    with pytest.raises(UsageError, match=message):
        api.train_attack(**given)
    assert not (tmp_path / 'a.pth').exists()


def test_a_training_that_diverged_writes_nothing(taught, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Pupil, 'last', float('nan'))
    with pytest.raises(HiiError, match='the last loss is nan') as error:
        api.train_attack('taught', folder, SHUFFLE, tmp_path / 'out' / 'a.pth')
    assert error.value.exit_code == 1
    assert not (tmp_path / 'out').exists()
