"""Copies that come back from somebody hostile: no hang, no flood of memory, no traceback."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tracemalloc

import pytest

import hii_mm
from helpers import ROOT
from helpers.copies import start, tree, write_images
from hii_mm import Scheme
from hii_mm.errors import CopyError, HiiError, ManifestError
from hii_mm.files import sha256_file
from hii_mm.handover import shards
from hii_mm.handover.manifest import lines
from hii_mm.handover.parsing import convert
from hii_mm.handover.rows import Row
from hii_mm.images import read_colours

GIB = 1 << 30


def resign(copy, key):
    """Sign a copy anew, as its owner could, with the checksums that its files have now."""
    manifest, secret = hii_mm.Manifest(copy), hii_mm.read_key(key)
    head = {name: value for name, value in manifest.head.items() if name not in ('schema', 'version', 'images')}
    for row in head['files']:
        row['sha256'], row['bytes'] = sha256_file(copy / row['name'])
    rows = [convert(row, Row, 'row', HiiError) for row in json.loads((copy / 'manifest.json').read_text())['images']]
    (copy / 'manifest.json').write_bytes(b''.join(lines(head, rows, secret)))


def header(name, size, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse(size):
    """A GNU sparse member of some bytes that takes none in the file."""
    block = bytearray(header('00.png', 0, tarfile.GNUTYPE_SPARSE))
    block[386:398] = block[398:410] = b'00000000000\0'
    block[483:495] = b'%011o\0' % size if size < 8**11 else b'\x80' + size.to_bytes(11, 'big')
    block[148:156] = b' ' * 8
    block[148:156] = b'%06o\0 ' % sum(block)
    return bytes(block)


def pax_sparse(size):
    """The same in the newer formats: a pax header."""
    records = ''
    for name, value in (('GNU.sparse.major', 1), ('GNU.sparse.minor', 0), ('GNU.sparse.realsize', size)):
        length = len(f' {name}={value}\n') + 2
        records += f'{length} {name}={value}\n'
    data = records.encode()
    return header('x', len(data), tarfile.XHDTYPE) + data.ljust(512, b'\0') + header('00.png', 0)


FRONTS = {
    'a sparse member of 20 GB': sparse(20 * GIB),
    'a sparse member in pax': pax_sparse(20 * GIB),
    'a pax header of 8 GB': header('x', 8 * GIB - 1, tarfile.XHDTYPE),
    'a global pax header of 8 GB': header('x', 8 * GIB - 1, tarfile.XGLTYPE),
    'a long name of 8 GB': header('x', 8 * GIB - 1, tarfile.GNUTYPE_LONGNAME),
    'a long link of 8 GB': header('x', 8 * GIB - 1, tarfile.GNUTYPE_LONGLINK),
    'a member of 8 GB': header('00.png', 8 * GIB - 1),
    'a link': header('00.png', 0, tarfile.SYMTYPE),
    'noise': bytes(range(256)) * 2,
}


@pytest.mark.parametrize('front', FRONTS)
@pytest.mark.parametrize('signed', [False, True])
def test_a_tar_file_cannot_exhaust_the_memory(tmp_path, key, front, signed):
    """The file itself is a hole on disk of 9 GB, so that all that it claims to hold can be read."""
    src = write_images(tmp_path / 'src', [f'{i:02}.png' for i in range(4)], (32, 32, 3))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='shards')
    path = tmp_path / 'dst' / 'shard-000000.tar'
    path.write_bytes(FRONTS[front] + path.read_bytes())
    if signed:
        resign(tmp_path / 'dst', key)
    else:
        os.truncate(path, 9 * GIB)  # not read whole, as that takes long: its size differs from the manifest's
    tracemalloc.start()
    if signed:
        assert not hii_mm.verify(tmp_path / 'dst', key=key, deep=True).ok
        done = hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
        assert done.failed
    else:
        assert not hii_mm.verify(tmp_path / 'dst', key=key).ok
        with contextlib.suppress(CopyError):
            for name, size, _ in shards.read_members(str(path)):
                assert (name, size) == ('00.png', 8 * GIB - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6


def test_a_member_is_read_only_at_the_size_in_the_manifest(tmp_path, key):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png'], (32, 32, 3))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='shards')
    path, out = tmp_path / 'dst' / 'shard-000000.tar', io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=out, mode='w') as new:
        for info in old:
            data = old.extractfile(info).read()
            info.size = 30_000_000 if info.name == 'a.png' else info.size
            new.addfile(info, io.BytesIO(data.ljust(info.size, b'\0')))
    path.write_bytes(out.getvalue())
    del out
    tracemalloc.start()
    problems = hii_mm.verify(tmp_path / 'dst', deep=True).problems
    done = hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any('it has 30000000 bytes, but the manifest says' in reason for _, reason in problems)
    assert (done.images, sorted(tree(tmp_path / 'out'))) == (1, ['b.png'])
    assert any('were decrypted all the same' in reason for _, reason in done.failed)
    assert peak < 4e6


@pytest.fixture
def alarm():
    """Fail a test that hangs."""

    def hangs(number, frame):
        raise AssertionError('it hangs')

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def irregular(path, kind):
    """Replace a file by something that is no regular file."""
    path.unlink(missing_ok=True)
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'socket':
        with socket.socket(socket.AF_UNIX) as server:
            folder = os.getcwd()
            os.chdir(path.parent)  # a socket's path may have 107 bytes
            server.bind(path.name)
            os.chdir(folder)
    elif kind == 'device':
        path.symlink_to('/dev/zero')
    else:
        path.mkdir()


@pytest.mark.parametrize('kind', ['pipe', 'socket', 'device', 'folder'])
@pytest.mark.parametrize('what', ['manifest.json', 'class0/00.png', 'rejects.jsonl', 'shard-000000.tar'])
@pytest.mark.usefixtures('alarm')
def test_what_is_no_regular_file_does_not_hang(tmp_path, src, key, what, kind):
    (src / 'bad.png').write_bytes(b'')
    options = {'format': 'shards'} if what.endswith('.tar') else {}
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), **options)
    irregular(tmp_path / 'dst' / what, kind)
    for options in ({'deep': True}, {'key': key}, {'key': key, 'against': src}):
        reasons = [reason for _, reason in hii_mm.verify(tmp_path / 'dst', **options).problems]
        assert any('regular file' in reason or 'not in the manifest' in reason for reason in reasons), reasons
    try:
        done = hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    except ManifestError:
        assert what == 'manifest.json'
    else:
        assert bool(done.failed) == (what != 'rejects.jsonl')


@pytest.mark.parametrize('kind', ['pipe', 'socket', 'device'])
@pytest.mark.usefixtures('alarm')
def test_files_of_the_owner_that_are_no_regular_files(tmp_path, src, key, copy, kind):
    odd = tmp_path / 'odd.png'
    irregular(odd, kind)
    irregular(src / 'odd.png', kind)
    outcome = hii_mm.encrypt(src, tmp_path / 'other', key=key, scheme=Scheme(16))
    ((name, reason),) = outcome.rejects
    assert (name, 'regular file' in reason or 'leads out of' in reason) == ('odd.png', True)
    for call in (
        lambda: hii_mm.encrypt(src, tmp_path / 'new', key=key, scheme=Scheme(16), annotations=[odd]),
        lambda: hii_mm.verify(copy, key=odd),
        lambda: hii_mm.read_key(odd),
        lambda: read_colours(odd),
    ):
        with pytest.raises(HiiError):
            call()
    hii_mm.encrypt(src, tmp_path / 'named', key=key, scheme=Scheme(16), rename=True, name_map=tmp_path / 'map')
    with pytest.raises(HiiError):
        hii_mm.decrypt(tmp_path / 'named', tmp_path / 'out', key=key, name_map=odd)


@pytest.mark.parametrize('name', ['\\ud800', 'a\\ud800/b', '\\udfff'])
def test_a_name_that_no_file_can_have(copy, src, key, tmp_path, name):
    path = copy / 'manifest.json'
    path.write_text(path.read_text().replace('"class0/00.png"', f'"{name}.png"'))
    for signed in (False, True):
        if signed:
            resign(copy, key)
        for deep in (False, True):
            assert not hii_mm.verify(copy, key=key, deep=deep).ok
        assert not hii_mm.verify(copy, key=key, against=src).ok
        with pytest.raises(HiiError):
            hii_mm.decrypt(copy, tmp_path / 'out', key=key)
    process = start('verify', copy, '--key', key, '--quiet')
    out, err = process.communicate()
    assert (process.returncode, err) == (1, '')


@pytest.mark.parametrize('closed', ['>&-', '<&- >&- 2>&-'])
@pytest.mark.parametrize('words', ['verify {dst} --deep --workers 2', 'verify {dst}/none'])
def test_a_closed_output(copy, closed, words):
    command = f'{sys.executable} -m hii_mm {words.format(dst=copy)} {closed}'
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert 'Traceback' not in done.stderr
    assert done.returncode == (1 if 'none' in words else 0), done.stderr


def test_a_tar_file_of_which_no_image_is_listed(tmp_path, key):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png'], (32, 32, 3))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='shards', shard_size=1)
    path = tmp_path / 'dst' / 'manifest.json'
    first, second = (line for line in path.read_text().splitlines(keepends=True) if '"mode"' in line)
    path.write_text(path.read_text().replace(first, '').replace('"images": 2', '"images": 1'))
    resign(tmp_path / 'dst', key)
    for deep in (False, True):
        problems = hii_mm.verify(tmp_path / 'dst', key=key, deep=deep).problems
        assert problems == [('shard-000000.tar', 'the manifest lists no image in it')]
