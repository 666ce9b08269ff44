"""``hii_mm.attack``: what is refused before anything runs, and runs that are interrupted."""

import os
import signal
import sys

import numpy as np
import pytest

import hii_mm
from helpers.attacks import read_report
from hii_mm import Scheme
from hii_mm.attacks import arguments
from hii_mm.errors import CheckpointError, InvalidTypeError, MissingPackageError, SourceError, UsageError

SHUFFLE = Scheme(16)


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
    assert read_report(tmp_path)['interrupted']
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
