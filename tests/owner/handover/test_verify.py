"""Find what was changed in a copy."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import hii_mm
from helpers.copies import flip_byte, tree, write_image, write_images
from hii_mm import Scheme
from hii_mm.errors import UsageError


def edit(path, old, new):
    path.write_text(path.read_text().replace(old, new))


TAMPER = {
    'flip one byte': (
        lambda dst: flip_byte(dst / 'class0' / '00.png'),
        ('class0/00.png', 'its SHA-256 does not match the manifest'),
    ),
    'add one file': (lambda dst: shutil.copy(dst / 'class0' / '00.png', dst / 'new.png'), ('new.png', 'not in the')),
    'remove one file': (lambda dst: (dst / 'class1' / '01.png').unlink(), ('class1/01.png', 'missing')),
    'a folder for a file': (
        lambda dst: ((dst / 'class1' / '01.png').unlink(), (dst / 'class1' / '01.png').mkdir()),
        ('class1/01.png', 'not a regular file'),
    ),
    'edit the manifest': (lambda dst: edit(dst / 'manifest.json', '"gap": 0', '"gap": 1'), ('manifest.json', 'was ch')),
    'cut the manifest': (lambda dst: os.truncate(dst / 'manifest.json', 900), ('manifest.json', '')),
    'cut its end': (
        lambda dst: os.truncate(dst / 'manifest.json', (dst / 'manifest.json').stat().st_size - 100),
        ('manifest.json', 'checksum at its end'),
    ),
    'no manifest': (lambda dst: (dst / 'manifest.json').unlink(), ('manifest.json', 'has no manifest.json')),
    'a link': (lambda dst: (dst / 'l').symlink_to('/etc'), ('l', 'not in the manifest')),
}


@pytest.mark.parametrize('what', TAMPER)
def test_it_is_found_without_a_key(copy, what):
    tamper, (name, reason) = TAMPER[what]
    assert hii_mm.verify(copy).ok
    assert hii_mm.verify(copy, deep=True).ok
    tamper(copy)
    assert hii_mm.verify(copy).ok == (what == 'flip one byte')  # the sizes are right
    result = hii_mm.verify(copy, deep=True)
    assert not result.ok
    assert [problem for problem in result.problems if problem.name == name and reason in problem.reason]


def test_a_forgery_whose_checksums_are_right_needs_the_key(copy, key, tmp_path):
    name, manifest = copy / 'class0' / '00.png', copy / 'manifest.json'
    flip_byte(name, -1)
    text = manifest.read_text()
    old = json.loads(text)['images'][0]['sha256']
    text = text.replace(old, hashlib.sha256(name.read_bytes()).hexdigest())
    body, _, tail = text.rpartition('"sha256"')
    digest = hashlib.sha256(body.encode()).hexdigest()
    manifest.write_text(f'{body}"sha256": "{digest}"{tail[tail.index(",") :]}')
    assert not [reason for _, reason in hii_mm.verify(copy, deep=True).problems if 'SHA-256' in reason]
    assert any('its HMAC is wrong' in reason for _, reason in hii_mm.verify(copy, key=key).problems)
    hii_mm.write_new_key(tmp_path / 'other')
    ((name, reason),) = hii_mm.verify(copy, key=tmp_path / 'other').problems
    assert name == 'manifest.json'
    assert 'made with key' in reason


def test_another_source_is_found(copy, key, src):
    write_image(src / 'class0' / '00.png', seed=99)
    (src / 'class1' / '01.png').unlink()
    write_image(src / 'class1' / 'late.png')
    write_image(src / 'class1' / '03.png', (64, 64, 3))
    assert set(hii_mm.verify(copy, key=key, against=src).problems) == {
        ('class0/00.png', "its pixels are not those that the source 'class0/00.png' gives"),
        ('class1/01.png', 'SRC has no image that it comes from'),
        ('class1/late.png', 'in SRC, but neither in the copy nor among its rejects'),
        (
            'class1/03.png',
            "its source 'class1/03.png' has (64, 64) pixels (h, w), but the manifest says (48, 64)",
        ),
    }


@pytest.mark.parametrize('options', [{}, {'rename': True}, {'format': 'shards', 'shard_size': 7}])
def test_rejects_are_not_missing(tmp_path, src, key, options):
    (src / 'class0' / 'bad.png').write_bytes(b'not an image')
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), **options)
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=src).ok
    write_image(src / 'class0' / 'late.png')
    ((name, _),) = hii_mm.verify(tmp_path / 'dst', key=key, against=src).problems
    assert name == 'class0/late.png'


def test_the_image_is_compared_not_what_lies_beside_it(tmp_path, key):
    src = write_images(tmp_path / 'src', ['c/a.png', 'c/b.png'])
    (src / 'c' / 'a.json').write_text('{}')
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16))
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=src).ok
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(src / 'c' / 'a.png')
    assert not hii_mm.verify(tmp_path / 'dst', key=key, against=src).ok


@pytest.mark.parametrize('number', [0, 1])
def test_tar_files(tmp_path, src, key, number):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='shards', shard_size=12)
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=src, workers=2).ok
    shard = f'shard-{number:06}.tar'
    flip_byte(tmp_path / 'dst' / shard, 600)  # within the first image
    assert hii_mm.verify(tmp_path / 'dst').ok
    problems = hii_mm.verify(tmp_path / 'dst', deep=True).problems
    assert len(problems) == 2
    assert (shard, 'its SHA-256 does not match the manifest') in problems
    os.truncate(tmp_path / 'dst' / shard, 5000)
    assert 'bytes, but the manifest says' in hii_mm.verify(tmp_path / 'dst').problems[0].reason
    problems = hii_mm.verify(tmp_path / 'dst', deep=True).problems
    assert any(name.startswith(f'{shard}/') and reason == 'missing' for name, reason in problems)
    (tmp_path / 'dst' / shard).unlink()
    assert hii_mm.verify(tmp_path / 'dst').problems == [(shard, 'missing')]
    problems = hii_mm.verify(tmp_path / 'dst', deep=True).problems
    assert sum('missing' in reason for _, reason in problems) == 14


def test_a_manifest_that_is_a_link(copy, tmp_path):
    os.rename(copy / 'manifest.json', tmp_path / 'elsewhere.json')
    (copy / 'manifest.json').symlink_to(tmp_path / 'elsewhere.json')
    assert hii_mm.verify(copy).problems == [('manifest.json', 'not a regular file')]


def test_folders_that_are_not_copies(tmp_path, src):
    (tmp_path / 'part' / '.hii-mm').mkdir(parents=True)
    for folder, message in (
        ('none', 'folder not found'),
        ('part', 'is unfinished: continue it with hii-mm encrypt --resume'),
        ('src', 'it is not an encrypted copy'),
    ):
        ((name, reason),) = hii_mm.verify(tmp_path / folder).problems
        assert name == 'manifest.json'
        assert message in reason


def test_against_needs_a_key_and_a_folder(copy, src, key):
    with pytest.raises(UsageError, match='against needs the key'):
        hii_mm.verify(copy, against=src)
    with pytest.raises(UsageError, match='source folder not found'):
        hii_mm.verify(copy, key=key, against=src / 'none')


def test_nothing_is_changed(copy, key, src):
    before = tree(copy)
    flip_byte(copy / 'class0' / '00.png')
    hii_mm.verify(copy, key=key, against=src)
    flip_byte(copy / 'class0' / '00.png')
    assert tree(copy) == before
