"""Runs that are killed, continued, or started twice."""

import os
import random
import shutil
import signal
import time
import tracemalloc

import numpy as np
import pytest
from PIL import Image

import hii_mm
from helpers.copies import DATASET, start, tree, write_image, write_images
from hii_mm import Scheme
from hii_mm.errors import BusyError, CopyError, RefusedError
from hii_mm.handover import journal
from hii_mm.handover.layout import WORK

SCHEME = Scheme(16, orient=True)


class Stop(Exception):
    """Raised by a progress callback."""


def stop_after(count):
    """Return a progress callback that stops the run."""

    def progress(done, total, note=''):
        if done >= count:
            raise Stop

    return progress


@pytest.mark.slow
@pytest.mark.parametrize('form', ['png', 'shards'])
def test_killed_at_any_moment_and_resumed_it_ends_as_if_undisturbed(tmp_path, key, form):
    src = write_images(tmp_path / 'src', [f'{i:02}.png' for i in range(60)], (160, 160, 3))
    words = [src, '--key', key, '--format', form, '--orient', '--quiet', '--workers', 2, '--dataset-id', DATASET]
    words += ['--shard-size', 7] if form == 'shards' else []
    begun = time.monotonic()
    options = {'format': 'shards', 'shard_size': 7} if form == 'shards' else {}
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id=DATASET, workers=2, **options)
    assert start('encrypt', src, tmp_path / 'timed', *words[1:]).wait() == 0
    lasted, dst, dice = time.monotonic() - begun, tmp_path / 'dst', random.Random(0)
    kills = 0
    for _ in range(5):  # twice, for files and for tar files: ten
        process = start('encrypt', src, dst, *words[1:], '--resume')
        time.sleep(dice.uniform(0.1, 0.9) * lasted / 2)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
    assert kills >= 2
    done = start('encrypt', src, dst, *words[1:], '--resume')
    assert done.wait() == 0, done.communicate()
    done.communicate()
    assert tree(dst) == tree(tmp_path / 'whole')
    assert hii_mm.verify(dst, key=key, against=src).ok


@pytest.mark.parametrize('options', [{}, {'format': 'shards', 'shard_size': 5}, {'workers': 2}, {'rename': True}])
@pytest.mark.parametrize('count', [0, 1, 13, 24])
def test_stopped_by_its_progress_and_resumed(tmp_path, src, key, options, count):
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id=DATASET, **options)
    with pytest.raises(Stop):
        hii_mm.encrypt(
            src, tmp_path / 'dst', key=key, scheme=SCHEME, dataset_id=DATASET, progress=stop_after(count), **options
        )
    with pytest.raises(RefusedError, match='holds an unfinished run; continue it with --resume'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, **options)
    assert not hii_mm.verify(tmp_path / 'dst').ok
    seen = []
    resumed = hii_mm.encrypt(
        src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True, progress=lambda *step: seen.append(step), **options
    )
    assert resumed.images == 24
    assert seen[-1][:2] == (24, 24)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


DAMAGE = {
    'half a line': lambda path: os.truncate(path, path.stat().st_size - 20),
    'no line': lambda path: path.write_bytes(path.read_bytes().split(b'\n')[0] + b'\n'),
    'zeros': lambda path: path.write_bytes(path.read_bytes() + bytes(4096)),
    'zeros and a line': lambda path: path.write_bytes(path.read_bytes() + bytes(4096) + b'{"i": 14}\n'),
    'not JSON': lambda path: path.write_bytes(path.read_bytes() + b'{"i": 14, "row": \n'),
    'deep': lambda path: path.write_bytes(path.read_bytes() + b'{"i": 14, "row": ' + b'[' * 100000 + b'\n'),
    'a huge number': lambda path: path.write_bytes(path.read_bytes() + b'{"i": 1e999}\n'),
    'no row': lambda path: path.write_bytes(path.read_bytes() + b'{"i": 14, "row": {"name": "a\\u0000"}}\n'),
}


@pytest.mark.parametrize('damage', DAMAGE)
@pytest.mark.parametrize('options', [{}, {'format': 'shards', 'shard_size': 5}])
def test_a_damaged_end_of_a_journal_is_made_again(tmp_path, src, key, options, damage):
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id=DATASET, **options)
    with pytest.raises(Stop):
        hii_mm.encrypt(
            src, tmp_path / 'dst', key=key, scheme=SCHEME, dataset_id=DATASET, progress=stop_after(13), **options
        )
    (path,) = (tmp_path / 'dst' / WORK).glob('*.jsonl')
    DAMAGE[damage](path)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True, **options)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


def test_files_that_are_missing_or_short_are_made_again(tmp_path, src, key):
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id=DATASET)
    with pytest.raises(Stop):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, dataset_id=DATASET, progress=stop_after(13))
    first, second = sorted((tmp_path / 'dst').rglob('*.png'))[3:5]
    first.unlink()
    os.truncate(second, 10)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


@pytest.mark.parametrize('head', [b'', b'{}\n', b'{"run": 3}\n', b'{"run": ' + b'[' * 100000 + b'\n', b'\xff\n'])
def test_a_damaged_first_line_of_a_journal_is_a_message(tmp_path, src, key, head):
    with pytest.raises(Stop):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, progress=stop_after(1))
    (path,) = (tmp_path / 'dst' / WORK).glob('*.jsonl')
    path.write_bytes(head)
    with pytest.raises(CopyError, match='part-00000-of-00001.jsonl. is not a journal'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True)


def test_a_resumed_run_must_be_the_same(tmp_path, src, key):
    with pytest.raises(Stop):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, progress=stop_after(3))
    with pytest.raises(RefusedError, match='begun with parameters.gap = 0, but now it is 2'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16, gap=2, orient=True), resume=True)
    write_image(src / 'class0' / 'new.png')
    with pytest.raises(RefusedError, match='begun with files = 24, but now it is 25'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True)


def test_a_second_run_into_the_same_folder_is_refused(tmp_path, src, key):
    write_images(src, [f'{i}.png' for i in range(100)], (320, 320, 3))
    dst = tmp_path / 'dst'
    first = start('encrypt', src, dst, '--key', key, '--patch-size', 16, '--quiet', '--workers', 1)
    while not list(dst.rglob('*.png')):
        assert first.poll() is None
        time.sleep(0.01)
    with pytest.raises(BusyError, match='another process is writing part 1 of 1'):
        hii_mm.encrypt(src, dst, key=key, scheme=Scheme(16), resume=True)
    assert first.wait() == 0
    first.communicate()
    with pytest.raises(RefusedError, match='holds a finished copy; choose a new folder'):
        hii_mm.encrypt(src, dst, key=key, scheme=Scheme(16))


def test_a_refused_run_leaves_the_other_its_folder(tmp_path):
    with journal.opened(str(tmp_path / 'dst'), (0, 1)):
        second = journal.opened(str(tmp_path / 'dst'), (0, 1))
        with pytest.raises(BusyError, match='another process is writing'), second:
            pass
        assert (tmp_path / 'dst' / WORK / 'part-00000-of-00001.lock').exists()
    assert not (tmp_path / 'dst').exists()


def test_a_finished_copy_with_rejects_says_so_again(tmp_path, src, key):
    (src / 'class0' / 'bad.png').write_bytes(b'not an image')
    first = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16))
    again = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), resume=True)
    assert (again.images, again.rejects) == (first.images, first.rejects)
    assert (again.images, len(again.rejects), again.closed) == (24, 1, True)
    with pytest.raises(RefusedError, match='finished copy: DST was begun with parameters.gap = 0, but now it is 1'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16, gap=1), resume=True)


def test_resume_of_a_finished_copy_refuses_another_source(tmp_path, key):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png'])
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), resume=True)
    write_image(src / 'c.png')
    with pytest.raises(RefusedError, match='holds a finished copy of 2 other files than the 3'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), resume=True)


@pytest.mark.parametrize('by', ['encrypt', 'merge'])
def test_what_a_kill_at_the_very_end_leaves_is_removed(tmp_path, key, by):
    src = write_images(tmp_path / 'src', ['a.png'])
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16))
    (tmp_path / 'dst' / WORK).mkdir()
    (tmp_path / 'dst' / WORK / 'part-00000-of-00001.lock').touch()
    assert not hii_mm.verify(tmp_path / 'dst', key=key).ok
    if by == 'merge':
        hii_mm.merge(tmp_path / 'dst', key=key)
    else:
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), resume=True)
    assert hii_mm.verify(tmp_path / 'dst', key=key).ok


def test_a_link_in_dst_is_not_written_through(tmp_path, key):
    src = write_images(tmp_path / 'src', ['sub/a.png'])
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'dst').mkdir()
    (tmp_path / 'dst' / 'sub').symlink_to(tmp_path / 'elsewhere')
    for resume in (False, True):
        with pytest.raises((CopyError, RefusedError)):
            hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), resume=resume)
        assert not list((tmp_path / 'elsewhere').iterdir())
    shutil.rmtree(tmp_path / 'dst')
    with pytest.raises(Stop):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), progress=stop_after(0))
    (tmp_path / 'dst' / 'sub').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(CopyError, match='sub. is a symbolic link'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), resume=True)
    assert not list((tmp_path / 'elsewhere').iterdir())


def test_a_tar_file_is_not_held_in_memory(tmp_path, key):
    rng = np.random.default_rng(0)
    (tmp_path / 'src').mkdir()
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)).save(tmp_path / 'src' / f'{i:02}.png')
    tracemalloc.start()
    hii_mm.encrypt(tmp_path / 'src', tmp_path / 'dst', key=key, scheme=Scheme(16), format='shards')
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / 'dst' / 'shard-000000.tar').stat().st_size > 18e6
    assert peak < 9e6
