"""Decryptions that are stopped and continued, and who may read what they write."""

import os
import shutil
import signal
import stat
import time

import pytest

import hii_mm
from helpers.copies import flip_byte, start, tree, write_image, write_images
from hii_mm import Scheme
from hii_mm.errors import BusyError, CannotDecryptError, UsageError
from hii_mm.handover.layout import WORK_OUT

SCHEME = Scheme(16, gap=1)


class Stop(Exception):
    """Raised by a progress callback."""


def stop(done, total, note=''):
    if done >= 13:
        raise Stop


def stopped(copy, out, key, **options):
    with pytest.raises(Stop):
        hii_mm.decrypt(copy, out, key=key, progress=stop, **options)


@pytest.fixture(params=[{}, {'format': 'shards', 'shard_size': 5}, {'rename': True}])
def copied(request, tmp_path, src, key):
    """An encrypted copy of some kind."""
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, **request.param)
    return tmp_path / 'dst'


@pytest.mark.parametrize('workers', [1, 2])
def test_it_goes_on_and_keeps_what_is_whole(tmp_path, copied, key, workers):
    whole = hii_mm.decrypt(copied, tmp_path / 'whole', key=key)
    out = tmp_path / 'out'
    stopped(copied, out, key, workers=workers)
    with pytest.raises(CannotDecryptError, match='holds a decryption that was stopped; continue it with --resume'):
        hii_mm.decrypt(copied, out, key=key)
    kept = {path: path.stat().st_ino for path in out.rglob('*.png')}
    assert len(kept) >= 12
    first, second, third = sorted(kept)[:3]
    flip_byte(first)
    os.truncate(second, 7)
    third.unlink()
    again = hii_mm.decrypt(copied, out, key=key, resume=True, workers=workers)
    assert (again.images, again.failed) == (24, [])
    assert again.lost == pytest.approx(whole.lost)
    assert tree(out) == tree(tmp_path / 'whole')
    assert sum(path.stat().st_ino == inode for path, inode in kept.items()) >= 12 - 3


@pytest.mark.parametrize('end', [b'{"n": 3, "su', b'\0' * 4096, b'{"n": -1, "sum": "x", "lost": 7}\n', b'[' * 100000])
def test_a_damaged_record(tmp_path, copy, key, end):
    hii_mm.decrypt(copy, tmp_path / 'whole', key=key)
    stopped(copy, tmp_path / 'out', key)
    (record,) = (tmp_path / 'out' / WORK_OUT).glob('*.jsonl')
    record.write_bytes(record.read_bytes() + end)
    hii_mm.decrypt(copy, tmp_path / 'out', key=key, resume=True)
    assert tree(tmp_path / 'out') == tree(tmp_path / 'whole')


def test_only_its_own_folder_is_continued(tmp_path, copy, src, key):
    out = tmp_path / 'out'
    stopped(copy, out, key)
    write_image(src / 'new.png')
    hii_mm.encrypt(src, copy, key=key, scheme=Scheme(16), update=True)
    with pytest.raises(CannotDecryptError, match='of another copy, or of this one before it was changed'):
        hii_mm.decrypt(copy, out, key=key, resume=True)
    write_images(tmp_path / 'full', ['a.png'])
    with pytest.raises(CannotDecryptError, match='is not empty'):
        hii_mm.decrypt(copy, tmp_path / 'full', key=key, resume=True)
    (tmp_path / 'full' / WORK_OUT).mkdir()
    with pytest.raises(CannotDecryptError, match='is not empty'):
        hii_mm.decrypt(copy, tmp_path / 'full', key=key, resume=True)
    shutil.rmtree(tmp_path / 'full')
    (tmp_path / 'full' / WORK_OUT).mkdir(parents=True)  # killed before it wrote anything
    assert hii_mm.decrypt(copy, tmp_path / 'full', key=key).images == 25


def test_a_failed_image_is_tried_again_until_the_end(tmp_path, copy, key):
    path = copy / 'class0' / '00.png'
    data = path.read_bytes()
    flip_byte(path)
    stopped(copy, tmp_path / 'out', key)
    path.write_bytes(data)
    assert hii_mm.decrypt(copy, tmp_path / 'out', key=key, resume=True).failed == []


def test_two_at_once(tmp_path, copy, key):
    def second(done, total, note=''):
        if done == 3:
            with pytest.raises(BusyError, match='another process is decrypting'):
                hii_mm.decrypt(copy, tmp_path / 'out', key=key, resume=True)

    assert hii_mm.decrypt(copy, tmp_path / 'out', key=key, progress=second).images == 24


def modes(folder):
    found = {'folder': set(), 'file': set()}
    for path in [folder, *folder.rglob('*')]:
        found['folder' if path.is_dir() else 'file'].add(stat.S_IMODE(path.stat().st_mode))
    return found


@pytest.mark.parametrize('workers', [1, 2])
def test_only_their_owner_can_read_decrypted_pictures(tmp_path, copy, key, workers):
    before = os.umask(0o022)
    try:
        hii_mm.decrypt(copy, tmp_path / 'out', key=key, workers=workers)
        assert modes(tmp_path / 'out') == {'folder': {0o700}, 'file': {0o600}}
        hii_mm.decrypt(copy, tmp_path / 'open', key=key, umask=0o027, workers=workers)
        assert modes(tmp_path / 'open') == {'folder': {0o750}, 'file': {0o640}}
        os.umask(0o077)
        hii_mm.decrypt(copy, tmp_path / 'all', key=key, umask=0, workers=workers)
        assert modes(tmp_path / 'all') == {'folder': {0o777}, 'file': {0o666}}
    finally:
        os.umask(before)


@pytest.mark.parametrize('umask', [-1, 0o1000, '022'])
def test_a_wrong_umask(tmp_path, copy, key, umask):
    with pytest.raises(UsageError, match='umask'):
        hii_mm.decrypt(copy, tmp_path / 'out', key=key, umask=umask)
    assert not (tmp_path / 'out').exists()


def test_a_copy_between_two_states_is_not_decrypted_and_memory_stays(tmp_path, copy, key):
    (copy / '.hii-mm' / 'next').mkdir(parents=True)
    shutil.copy(copy / 'manifest.json', copy / '.hii-mm' / 'next')
    with pytest.raises(CannotDecryptError, match='finish that with hii-mm encrypt --update first'):
        hii_mm.decrypt(copy, tmp_path / 'out', key=key)
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
@pytest.mark.parametrize('form', ['png', 'shards'])
def test_killed_at_any_moment_and_resumed_it_ends_as_if_undisturbed(tmp_path, key, form):
    src = write_images(tmp_path / 'src', [f'{i % 3}/{i:02}.png' for i in range(60)], (160, 160, 3))
    options = {'format': 'shards', 'shard_size': 7} if form == 'shards' else {}
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, **options)
    hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'whole', key=key)
    out, kills = tmp_path / 'out', 0
    words = [tmp_path / 'dst', out, '--key', key, '--quiet', '--workers', 2, '--resume']
    for count in (0, 1, 15, 30, 45, 58):
        process = start('decrypt', *words)
        while process.poll() is None and (not out.exists() or len(list(out.rglob('*.png'))) < count):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
    assert kills >= 4
    done = start('decrypt', *words)
    assert done.wait() == 0, done.communicate()
    done.communicate()
    assert tree(out) == tree(tmp_path / 'whole')
