"""Faults of the machine are not faults of a file: they stop the run, name the path, and are tried again."""

import errno
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageFile

import hii_mm
from helpers import DATA, ROOT
from helpers.copies import tree, write_image
from hii_mm import Scheme, files, images
from hii_mm.errors import RejectedError
from hii_mm.handover import manifest

SCHEME = Scheme(16)
FAULTS = [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOMEM, errno.EACCES]


@pytest.fixture
def faulty(monkeypatch):
    """Make the opening of files with some words in their path fail."""

    def make(code, words):
        def open_regular(path):
            if words in os.fspath(path):
                raise OSError(code, os.strerror(code), os.fspath(path))
            return original(path)

        original = files.open_regular
        for module in (images, files, manifest):
            monkeypatch.setattr(module, 'open_regular', open_regular)

    return make


@pytest.mark.parametrize('code', FAULTS)
@pytest.mark.parametrize('workers', [1, 2])
def test_a_source_that_cannot_be_read_now_stops_the_run(tmp_path, src, key, faulty, monkeypatch, code, workers):
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, dataset_id='a' * 32)
    with monkeypatch.context():
        faulty(code, 'class1/13.png')
        with pytest.raises(OSError) as error:
            hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, dataset_id='a' * 32, workers=workers)
    assert (error.value.errno, error.value.filename) == (code, str(src / 'class1' / '13.png'))
    monkeypatch.undo()
    done = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True)
    assert (done.images, done.rejects) == (24, [])
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


@pytest.mark.parametrize('code', FAULTS)
@pytest.mark.parametrize('name', ['class1/13.png', 'manifest.json'])
def test_a_sound_copy_is_not_called_damaged(copy, tmp_path, src, key, faulty, code, name):
    faulty(code, f'dst/{name}')
    for call in (
        lambda: hii_mm.verify(copy, key=key, against=src),
        lambda: hii_mm.verify(copy, deep=True, workers=2),
        lambda: hii_mm.decrypt(copy, tmp_path / 'out', key=key),
        lambda: hii_mm.merge(copy, key=key),
    ):
        with pytest.raises(OSError) as error:
            call()
        assert error.value.errno == code
        assert str(error.value.filename).endswith(name)


LIMITED = """
import sys, resource, hii_mm.images as images
data = sys.stdin.buffer.read()
images.decode(open(sys.argv[1], 'rb').read())
page = resource.getpagesize()
for mebibytes in map(int, sys.argv[2:]):
    used = int(open('/proc/self/statm').read().split()[0]) * page
    resource.setrlimit(resource.RLIMIT_AS, (used + mebibytes * 2**20, -1))
    try:
        print(images.decode(data).shape)
    except MemoryError:
        print('memory')
    except Exception as error:
        print(type(error).__name__, error)
"""


def decode_limited(data, *mebibytes):
    """Decode in a process that may have so much memory more than it needs to start; returns what it says."""
    command = [sys.executable, '-c', LIMITED, str(DATA / 'astronaut.webp'), *map(str, mebibytes)]
    return subprocess.run(command, input=data, cwd=ROOT, capture_output=True, check=True).stdout.decode().splitlines()


@pytest.mark.parametrize('form', ['PNG', 'JPEG', 'WEBP', 'TIFF', 'GIF', 'BMP'])
def test_too_little_memory_is_not_damage(form):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    out = io.BytesIO()
    small.resize((2400, 2000), Image.Resampling.NEAREST).save(out, form)
    limits = (2, 4, 8, 12, 16, 24, 32)
    found = decode_limited(out.getvalue(), *limits)
    assert len(found) == len(limits)
    assert set(found) <= {'memory', '(2000, 2400, 3)'}
    assert found[0] == 'memory'
    assert decode_limited(out.getvalue()[:1000], 1000)[0].startswith('RejectedError')


def test_a_decoder_that_says_so_in_words(monkeypatch):
    def load(self):
        raise ImageFile._get_oserror(-9, encoder=False)

    out = io.BytesIO()
    Image.new('RGB', (16, 16)).save(out, 'PNG')
    monkeypatch.setattr(ImageFile.ImageFile, 'load', load)
    with pytest.raises(MemoryError, match='out of memory'):
        images.decode(out.getvalue())


def test_memory_that_runs_out_stops_the_run_and_names_the_picture(tmp_path, src, key, monkeypatch):
    original = images._pixels

    def pixels(image):
        raise MemoryError

    monkeypatch.setattr(images, '_pixels', pixels)
    with pytest.raises(OSError) as error:
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME)
    assert (error.value.errno, error.value.filename) == (errno.ENOMEM, str(src / 'class0' / '00.png'))
    monkeypatch.setattr(images, '_pixels', original)
    assert hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True).rejects == []


def test_files_that_vanish_stop_the_run(tmp_path, src, key):
    def vanish(done, total, note=''):
        if done == 3:
            (src / 'class1' / '21.png').rename(tmp_path / 'away.png')

    with pytest.raises(FileNotFoundError) as error:
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, progress=vanish)
    assert error.value.filename == str(src / 'class1' / '21.png')
    (tmp_path / 'away.png').rename(src / 'class1' / '21.png')
    assert hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True).rejects == []


def test_a_missing_file_that_annotations_name_is_rejected(tmp_path, key):
    write_image(tmp_path / 'src' / 'a.png')
    rows = [dict(id=i, file_name=name, width=64, height=48) for i, name in enumerate(['a.png', 'none.png'])]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=rows, annotations=[], categories=[])))
    options = dict(key=key, scheme=SCHEME, annotations=[tmp_path / 'a.json'])
    done = hii_mm.encrypt(tmp_path / 'src', tmp_path / 'dst', **options)
    assert done.rejects == [('none.png', 'cannot be read: No such file or directory')]
    (tmp_path / 'src' / 'a.png').unlink()  # as if the disk was unplugged
    with pytest.raises(FileNotFoundError):
        hii_mm.encrypt(tmp_path / 'src', tmp_path / 'other', **options)


@pytest.mark.parametrize('form', ['png', 'shards'])
def test_a_full_disk_names_the_path(tmp_path, src, key, monkeypatch, form):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    options = dict(key=key, scheme=SCHEME, format=form)
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', full)
        with pytest.raises(OSError, match='No space left') as error:
            hii_mm.encrypt(src, tmp_path / 'dst', **options)
        assert str(tmp_path / 'dst') in error.value.filename
    with pytest.raises(OSError) as error:
        files.write_atomically('/dev/full/x', b'')
    assert error.value.filename is not None
    assert hii_mm.encrypt(src, tmp_path / 'new', **options).closed


def test_what_is_wrong_with_the_file_itself_is_a_reject(tmp_path):
    for name, message in (('x' * 300, 'File name too long'), ('none', 'No such file'), ('.', 'not a regular file')):
        with pytest.raises(RejectedError, match=message):
            images.read_file(str(tmp_path), name)
    (tmp_path / 'loop').symlink_to('loop')
    (tmp_path / 'out').symlink_to('/etc/passwd')
    for name in ('loop', 'out'):
        with pytest.raises(RejectedError):
            images.read_file(os.path.realpath(tmp_path), name)
