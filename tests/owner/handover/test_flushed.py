"""What is on disk when the power fails: each file before its name, each folder before the manifest."""

import os
import os.path as osp

import pytest

import hii_mm
from helpers.copies import write_image
from hii_mm import Scheme
from hii_mm.handover.layout import WORK

SCHEME = Scheme(16)


@pytest.fixture
def events(monkeypatch):
    """The calls of fsync and rename so far: ('fsync', path) and ('rename', path, new path)."""
    seen, fsync, replace = [], os.fsync, os.replace

    def flushed(handle):
        seen.append(('fsync', os.readlink(f'/proc/self/fd/{handle}')))
        fsync(handle)

    def renamed(old, new):
        seen.append(('rename', os.fspath(old), os.fspath(new)))
        replace(old, new)

    monkeypatch.setattr(os, 'fsync', flushed)
    monkeypatch.setattr(os, 'replace', renamed)
    return seen


def check(events, dst):
    """Check the order of flushes in a run that closed a copy; returns how many files it renamed."""
    dst = str(dst)
    renames = {event[2]: i for i, event in enumerate(events) if event[0] == 'rename'}
    closed = renames.pop(f'{dst}/manifest.json')

    def flushed(path, first, last):
        return ('fsync', path) in events[first:last]

    for path, i in renames.items():
        inner = osp.relpath(path, dst).startswith(WORK)
        moved = osp.relpath(events[i][1], dst).startswith(f'{WORK}/next/')  # it was flushed where it was made
        made = events[i][1] if not moved else renames_of(events, events[i][1])
        assert flushed(made, 0, i), f'{path} has a name before its content is on disk'
        if not inner:
            assert flushed(osp.dirname(path), i, closed), f'{path} may be lost after the manifest is there'
    assert flushed(dst, closed, None)
    inside = {osp.dirname(path) for path in renames if path.startswith(f'{dst}/')}
    for folder in inside:
        while folder.startswith(f'{dst}/') and not folder.startswith(f'{dst}/{WORK}'):
            folder = osp.dirname(folder)
            assert flushed(folder, 0, closed), f'the entries of {folder} are not on disk'
    return len(renames)


def renames_of(events, path):
    """Return the temporary name of a file that was renamed to a path."""
    return next((event[1] for event in events if event[0] == 'rename' and event[2] == path), path)


@pytest.mark.parametrize('options', [{}, {'format': 'shards', 'shard_size': 5}, {'rename': True}])
def test_a_copy_is_on_disk_before_its_manifest(tmp_path, src, key, events, options):
    (src / 'class0' / 'notes.txt').write_text('rejected')
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, **options)
    assert check(events, tmp_path / 'dst') >= 5
    closed = next(i for i, event in enumerate(events) if event[-1] == str(tmp_path / 'dst' / 'manifest.json'))
    assert ('fsync', str(tmp_path)) in events[closed:]  # the copy itself is an entry of its folder


def test_the_journal_and_its_folder_are_on_disk(tmp_path, src, key, events):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, part=(0, 2))
    work = str(tmp_path / 'dst' / WORK)
    journal = f'{work}/part-00000-of-00002.jsonl'
    begun = next(i for i, event in enumerate(events) if event[-1] == journal)
    image = next(i for i, event in enumerate(events) if event[0] == 'rename' and event[-1].endswith('.png'))
    assert ('fsync', work) in events[begun:image]
    assert events[-1] == ('fsync', journal)


def test_an_update_is_on_disk_before_its_manifest(tmp_path, src, key, events):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME)
    write_image(src / 'class0' / 'new.png')
    write_image(src / 'class2' / 'deep' / 'new.png')
    events.clear()
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, update=True)
    assert check(events, tmp_path / 'dst') >= 4


def test_a_merge_is_on_disk_before_its_manifest(tmp_path, src, key, events):
    for part in (0, 1):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, part=(part, 2))
    hii_mm.merge(tmp_path / 'dst', key=key)
    assert check(events, tmp_path / 'dst') >= 24


def test_the_check_finds_what_is_missing(tmp_path, src, key, events):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME)
    folder = ('fsync', str(tmp_path / 'dst' / 'class1'))
    with pytest.raises(AssertionError, match='may be lost after the manifest'):
        check([event for event in events if event != folder], tmp_path / 'dst')
    contents = [event for event in events if not (event[0] == 'fsync' and event[1].endswith('.part'))]
    with pytest.raises(AssertionError, match='a name before its content'):
        check(contents, tmp_path / 'dst')
