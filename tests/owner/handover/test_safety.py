"""Keys and plain images never end up where a trainer gets them."""

import hashlib
import os
import shutil

import pytest

import hii_mm
from helpers.copies import tree, write_images
from hii_mm import Scheme
from hii_mm.errors import CannotDecryptError, KeyFileError, RefusedError, UsageError
from hii_mm.handover import safety


def test_nothing_plain_gets_into_a_copy(copy, src, key, tmp_path):
    before = tree(copy)
    with pytest.raises(UsageError, match='--out .* lies inside the encrypted copy'):
        safety.check_outside_copy(copy / 'deep' / 'new', '--out')
    with pytest.raises(RefusedError, match='lies inside the encrypted copy'):
        hii_mm.encrypt(copy, tmp_path / 'twice', key=key, scheme=Scheme(16))
    with pytest.raises(RefusedError, match='lies inside the encrypted copy'):
        hii_mm.encrypt(copy / 'class0', tmp_path / 'twice', key=key, scheme=Scheme(16))
    for one, other in ((src, src / 'copy'), (src / 'class0', src)):
        with pytest.raises(RefusedError, match='must not contain each other'):
            hii_mm.encrypt(one, other, key=key, scheme=Scheme(16))
    assert tree(copy) == before
    assert not (tmp_path / 'twice').exists()


@pytest.mark.parametrize('folder, what', [('src', 'SRC'), ('other', 'DST')])
def test_a_key_within_the_data_is_refused(tmp_path, src, key, folder, what):
    (tmp_path / folder).mkdir(exist_ok=True)
    shutil.copy(key, tmp_path / folder / 'key')
    with pytest.raises(UsageError, match=f'lies inside {what}'):
        hii_mm.encrypt(src, tmp_path / 'other', key=tmp_path / folder / 'key', scheme=Scheme(16))
    with pytest.raises(UsageError, match=f'lies inside {what}'):
        hii_mm.encrypt(
            src,
            tmp_path / 'other',
            key=hii_mm.read_key(key),
            scheme=Scheme(16),
            rename=True,
            name_map=tmp_path / folder / 'names.jsonl',
        )
    assert list(tree(tmp_path / 'other')) == (['key'] if folder == 'other' else [])


def test_a_key_within_a_copy_is_refused_by_everything(copy, src, key, tmp_path):
    shutil.copy(key, copy / 'k')
    (tmp_path / 'link').symlink_to(copy / 'k')
    for bad in (copy / 'k', tmp_path / 'link'):
        for call in (
            lambda bad=bad: hii_mm.encrypt(src, tmp_path / 'other', key=bad, scheme=Scheme(16), rename=True),
            lambda bad=bad: hii_mm.verify(copy, key=bad),
            lambda bad=bad: hii_mm.decrypt(copy, tmp_path / 'other', key=bad),
            lambda bad=bad: hii_mm.merge(copy, key=bad),
        ):
            with pytest.raises(UsageError, match='lies inside the encrypted copy'):
                call()
    assert not (tmp_path / 'other').exists()


def test_a_key_that_others_can_read_is_refused(copy, src, key, tmp_path):
    os.chmod(key, 0o644)
    for call in (
        lambda: hii_mm.encrypt(src, tmp_path / 'other', key=key, scheme=Scheme(16)),
        lambda: hii_mm.verify(copy, key=key),
    ):
        with pytest.raises(KeyFileError, match='has mode 0644, so other users may read it'):
            call()
    assert not (tmp_path / 'other').exists()
    assert hii_mm.verify(copy, key=safety.load_key(key, insecure=True)).ok


def test_decrypt_writes_into_no_copy(tmp_path, key):
    src = write_images(tmp_path / 'src', ['a.png'])
    for name in ('one', 'two'):
        hii_mm.encrypt(src, tmp_path / name, key=key, scheme=Scheme(16))
    with pytest.raises(CannotDecryptError, match='lies inside the encrypted copy'):
        hii_mm.decrypt(tmp_path / 'one', tmp_path / 'two' / 'plain', key=key)
    with pytest.raises(CannotDecryptError, match='must not contain each other'):
        hii_mm.decrypt(tmp_path / 'one', tmp_path / 'one' / 'plain', key=key)
    with pytest.raises(CannotDecryptError, match='is not empty'):
        hii_mm.decrypt(tmp_path / 'one', src, key=key)
    with pytest.raises(CannotDecryptError, match='must not contain each other|is not empty'):
        hii_mm.decrypt(tmp_path / 'one', tmp_path, key=key)
    assert not list(tmp_path.rglob('plain'))


@pytest.mark.parametrize('options', [{}, {'rename': True}, {'format': 'shards'}])
def test_a_copy_holds_no_key_plain_pixels_or_source_path(tmp_path, key, src, options, capfd):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), **options)
    secret = key.read_bytes()
    written = [''.join(capfd.readouterr()).encode(), *tree(tmp_path / 'dst').values()]
    plain = [hashlib.sha256(data).hexdigest().encode() for data in tree(src).values()]
    for data in written:
        assert secret not in data
        assert secret.hex().encode() not in data
        assert str(src).encode() not in data
        assert not [digest for digest in plain if digest in data]
    assert not list((tmp_path / 'dst').rglob('.*'))
