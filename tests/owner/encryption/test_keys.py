"""Key files and the master key."""

import os
import pickle

import pytest

from hii_mm.encryption import MasterKey, read_key, write_new_key
from hii_mm.errors import KeyFileError

RAW = bytes(range(32))


def test_key_files(tmp_path):
    path = tmp_path / 'key'
    old = os.umask(0)
    try:
        made = write_new_key(path)
    finally:
        os.umask(old)
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 32)
    assert read_key(path).fingerprint == made.fingerprint
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match='never overwritten'):
        write_new_key(path)
    assert path.read_bytes() == before
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(KeyFileError, match=f'has mode {mode:04o}'):
            read_key(path)
        assert read_key(path, insecure=True).fingerprint == made.fingerprint


@pytest.mark.parametrize('content', [b'', b'x' * 31, b'x' * 33, b'0123456789abcdef' * 4])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / 'key'
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match='must have 32 bytes') as error:
        read_key(path)
    assert not content or content.decode() not in str(error.value)
    for wrong, message in ((tmp_path / 'none', 'No such file'), (tmp_path, 'directory')):
        with pytest.raises(KeyFileError, match=message):
            read_key(wrong)


def test_a_key_only_shows_its_fingerprint():
    key = MasterKey(RAW)
    shown = f'{key} {key!r} {[key]}'
    assert key.fingerprint in shown
    assert RAW.hex() not in shown
    assert repr(RAW) not in shown
    assert pickle.loads(pickle.dumps(key)).fingerprint == key.fingerprint  # spawned workers need it
