"""Decrypt copies; the round trips are in test_encrypt.py."""

import shutil

import pytest

import hii_mm
from helpers.copies import flip_byte, pixels, tree, write_images
from hii_mm import Scheme
from hii_mm.errors import CannotDecryptError, KeyFileError, ManifestError, UsageError
from hii_mm.handover.manifest import lines


def test_wrong_key_and_mixed_copies_write_nothing(copy, tmp_path, src, key):
    hii_mm.write_new_key(tmp_path / 'other')
    with pytest.raises(CannotDecryptError, match='was made with key .* but this key is'):
        hii_mm.decrypt(copy, tmp_path / 'out', key=tmp_path / 'other')
    for strategy in ('mixup', 'both'):
        hii_mm.encrypt(src, tmp_path / strategy, key=key, scheme=Scheme(16, strategy=strategy))
        with pytest.raises(CannotDecryptError, match=f"'{strategy}' averaged 4 pixels into each one, which cannot be"):
            hii_mm.decrypt(tmp_path / strategy, tmp_path / 'out', key=key)
    assert not (tmp_path / 'out').exists()


def test_every_checksum_is_checked(copy, key, tmp_path):
    shutil.copy(copy / 'class0' / '00.png', copy / 'class0' / '02.png')
    flip_byte(copy / 'class0' / '06.png')
    (copy / 'class0' / '04.png').unlink()
    done = hii_mm.decrypt(copy, tmp_path / 'out', key=key)
    assert done.images == 21
    assert done.failed == [
        ('class0/02.png', done.failed[0].reason),
        ('class0/04.png', 'missing'),
        ('class0/06.png', 'its SHA-256 does not match the manifest'),
    ]
    assert 'bytes, but the manifest says' in done.failed[0].reason
    assert not (tmp_path / 'out' / 'class0' / '02.png').exists()
    assert len(tree(tmp_path / 'out')) == 21


def test_a_forged_manifest_writes_nothing(copy, key, tmp_path):
    path = copy / 'manifest.json'
    path.write_text(path.read_text().replace('class0/00.png', 'class0/xx.png'))
    with pytest.raises(ManifestError, match='was changed'):
        hii_mm.decrypt(copy, tmp_path / 'out', key=key)
    assert not (tmp_path / 'out').exists()


def test_it_goes_on_after_a_name_that_cannot_be_written(tmp_path, key):
    long = 'n' * 245
    src = write_images(tmp_path / 'src', ['a.webp', 'a.png/b.png', f'{long}.png', 'z.png'])
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='webp')
    done = hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    assert done.failed == [('a.webp', "it cannot be written as 'a.png': Is a directory")]
    assert done.images == 3
    for name in ('a.png/b.png', f'{long}.png', 'z.png'):
        assert (pixels(tmp_path / 'out' / name) == pixels(src / name)).all()
    assert not list((tmp_path / 'out').rglob('*.part'))


def test_the_share_of_lost_pixels(tmp_path, key):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png'], (64, 70, 3))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16, gap=4, remainder='crop'))
    done = hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key, workers=2)
    assert done.lost == pytest.approx(1 - 16 * 64 / (64 * 70))


def test_pseudonyms_need_their_map(tmp_path, src, key):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), rename=True, name_map=tmp_path / 'map')
    with pytest.raises(KeyFileError, match='cannot be read: No such file'):
        hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    with pytest.raises(UsageError, match='a renamed copy needs name_map'):
        hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=hii_mm.read_key(key))
    assert not (tmp_path / 'out').exists()
    assert hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key, name_map=tmp_path / 'map').images == 24
    assert tree(tmp_path / 'out').keys() == tree(src).keys()
    lines = (tmp_path / 'map').read_text().splitlines(keepends=True)
    lines.remove(next(line for line in lines if '.png' in line))  # the others name folders
    (tmp_path / 'map').write_text(''.join(lines))
    done = hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'less', key=key, name_map=tmp_path / 'map')
    assert (done.images, [reason for _, reason in done.failed]) == (23, ['the map of names does not contain it'])


@pytest.mark.parametrize('width', [2**62, 10**30])
def test_a_plain_size_that_no_image_can_have(copy, tmp_path, key, width):
    """The fuzz run found it: a plan of that size took all memory. Only the owner's key can sign such a manifest."""
    manifest, secret = hii_mm.Manifest(copy), hii_mm.read_key(key)
    rows = list(manifest.rows(secret))
    rows[0].plain_hw = (48, width)
    head = {name: value for name, value in manifest.head.items() if name not in ('schema', 'version', 'images')}
    (copy / 'manifest.json').write_bytes(b''.join(lines(head, rows, secret)))
    done = hii_mm.decrypt(copy, tmp_path / 'out', key=key)
    assert (done.images, [name for name, _ in done.failed]) == (23, [rows[0].name])
    assert 'exceed the limit' in done.failed[0].reason
