"""``hii-mm keygen`` and ``hii-mm key fingerprint``."""

import os
import stat

import pytest

from hii_mm.cli.main import main
from hii_mm.encryption import read_key


@pytest.fixture
def keyfile(tmp_path):
    assert main(['keygen', str(tmp_path / 'key')]) == 0
    return tmp_path / 'key'


def test_keygen_writes_32_bytes_that_only_the_owner_can_read(tmp_path, capsys):
    before = os.umask(0)
    try:
        assert main(['keygen', str(tmp_path / 'key')]) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'key').stat().st_mode) == 0o600
    assert len((tmp_path / 'key').read_bytes()) == 32
    said = capsys.readouterr().out
    assert f'Wrote {tmp_path / "key"}, a new key with the fingerprint {read_key(tmp_path / "key").fingerprint}' in said
    assert 'Back it up' in said


def test_two_keys_differ(tmp_path):
    for name in 'ab':
        main(['keygen', str(tmp_path / name)])
    assert (tmp_path / 'a').read_bytes() != (tmp_path / 'b').read_bytes()


def test_a_key_is_never_overwritten(keyfile, capsys):
    before = keyfile.read_bytes()
    assert main(['keygen', str(keyfile)]) == 2
    assert 'a key is never overwritten' in capsys.readouterr().err
    assert keyfile.read_bytes() == before


def test_a_key_in_a_folder_that_does_not_exist(tmp_path, capsys):
    assert main(['keygen', str(tmp_path / 'none' / 'key')]) == 2
    assert 'No such file or directory' in capsys.readouterr().err


def test_the_fingerprint_is_the_same_each_time_and_reveals_no_bytes(keyfile, capsys):
    capsys.readouterr()
    assert main(['key', 'fingerprint', str(keyfile)]) == 0
    said = capsys.readouterr().out
    assert said == f'{read_key(keyfile).fingerprint}\n'
    assert len(said) == 17
    assert said.strip() not in keyfile.read_bytes().hex()


@pytest.mark.parametrize('mode', [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_can_read_needs_a_flag(keyfile, capsys, mode):
    keyfile.chmod(mode)
    assert main(['key', 'fingerprint', str(keyfile)]) == 2
    said = capsys.readouterr().err
    assert said.startswith('hii-mm key fingerprint: ')
    assert f'has mode {mode:04o}, so other users may read it' in said
    assert main(['key', 'fingerprint', str(keyfile), '--insecure-key-permissions']) == 0


@pytest.mark.parametrize('content', [b'', b'x' * 31, b'x' * 33])
def test_a_file_that_is_not_a_key(tmp_path, capsys, content):
    (tmp_path / 'key').write_bytes(content)
    (tmp_path / 'key').chmod(0o600)
    assert main(['key', 'fingerprint', str(tmp_path / 'key')]) == 2
    assert 'is not a key file: it must have 32 bytes' in capsys.readouterr().err


def test_a_missing_key_file(tmp_path, capsys):
    assert main(['key', 'fingerprint', str(tmp_path / 'none')]) == 2
    assert 'cannot be read: No such file or directory' in capsys.readouterr().err
    assert main(['key', 'fingerprint', str(tmp_path)]) == 2


def test_no_key_is_written_into_a_copy(tmp_path, capsys):
    (tmp_path / 'copy' / '.hii-mm').mkdir(parents=True)
    assert main(['keygen', str(tmp_path / 'copy' / 'new.key')]) == 2
    said = capsys.readouterr().err
    assert 'new.key' in said
    assert f'lies inside the encrypted copy {str(tmp_path / "copy")!r}' in said
    assert not (tmp_path / 'copy' / 'new.key').exists()
