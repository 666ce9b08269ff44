"""``hii-mm keygen`` and ``hii-mm key``."""

import getpass
import io
import os
import resource
import stat
import subprocess

import pytest

import hii_mm
from helpers.copies import start
from hii_mm.cli.main import main
from hii_mm.encryption import read_key


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    """Seal keys with less work than usual."""
    monkeypatch.setattr('hii_mm.encryption.keyfile.SCRYPT_LOG_N', 14)


@pytest.fixture(autouse=True)
def no_passphrase_in_the_environment(monkeypatch):
    monkeypatch.delenv('HII_MM_PASSPHRASE_FILE', raising=False)


@pytest.fixture
def keyfile(tmp_path):
    assert main(['keygen', str(tmp_path / 'key')]) == 0
    return tmp_path / 'key'


@pytest.fixture
def words(tmp_path):
    """A file with a passphrase."""
    (tmp_path / 'words').write_text('five words\n')
    (tmp_path / 'words').chmod(0o600)
    return str(tmp_path / 'words')


@pytest.fixture
def sealed(tmp_path, words):
    """A key file with a passphrase."""
    assert main(['keygen', str(tmp_path / 'sealed'), '--passphrase-file', words]) == 0
    return str(tmp_path / 'sealed')


@pytest.fixture
def copy(tmp_path, src, key):
    """An encrypted copy."""
    hii_mm.encrypt(src, tmp_path / 'copy', key=key, scheme=hii_mm.Scheme(16))
    return tmp_path / 'copy'


def no_room():
    """Let writes of this process fail."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def typed(monkeypatch, *answers):
    """Answer the questions for a passphrase; returns the prompts."""
    prompts, left = [], list(answers)
    monkeypatch.setattr(getpass, 'getpass', lambda prompt: prompts.append(prompt) or left.pop(0))
    return prompts


def test_keygen_writes_a_key_that_only_the_owner_can_read(tmp_path, capsys):
    before = os.umask(0)
    try:
        assert main(['keygen', str(tmp_path / 'key')]) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'key').stat().st_mode) == 0o600
    assert (tmp_path / 'key').read_text().startswith('hii-mm key v1\nkey ')
    said = capsys.readouterr().out
    assert f'Wrote {tmp_path / "key"}, a new key with the fingerprint {read_key(tmp_path / "key").fingerprint}' in said
    assert 'Back it up' in said
    assert f'hii-mm key export {tmp_path / "key"} --paper' in said
    assert [path.name for path in tmp_path.iterdir()] == ['key']


def test_a_disk_without_room_leaves_no_key_file(tmp_path):
    process = start('keygen', tmp_path / 'key', preexec_fn=no_room)
    out, said = process.communicate()
    assert (process.returncode, out) == (2, '')
    assert f"hii-mm keygen: key file '{tmp_path / 'key'}' cannot be written: File too large" in said
    assert not list(tmp_path.iterdir())


def test_two_keys_differ(tmp_path):
    for name in 'ab':
        main(['keygen', str(tmp_path / name)])
    assert (tmp_path / 'a').read_bytes() != (tmp_path / 'b').read_bytes()


def test_a_key_is_never_overwritten(keyfile, tmp_path, capsys):
    before = keyfile.read_bytes()
    (tmp_path / 'paper').write_text(exported(keyfile, capsys))
    for words in (['keygen', str(keyfile)], ['key', 'import', str(tmp_path / 'paper'), str(keyfile)]):
        assert main(words) == 2
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
    assert said.strip() not in keyfile.read_text()


@pytest.mark.parametrize('mode', [0o640, 0o604, 0o644, 0o660])
@pytest.mark.parametrize('command', [['fingerprint'], ['export', '--paper']])
def test_a_key_that_others_can_read_needs_a_flag(keyfile, capsys, mode, command):
    keyfile.chmod(mode)
    assert main(['key', *command, str(keyfile)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f'hii-mm key {command[0]}: ')
    assert f'has mode {mode:04o}, so other users may read it' in said
    assert main(['key', *command, str(keyfile), '--insecure-key-permissions']) == 0


@pytest.mark.parametrize('content', [b'', b'x' * 31, b'x' * 32, b'correct horse battery staple 123'])
def test_a_file_that_is_not_a_key(tmp_path, capsys, content):
    (tmp_path / 'key').write_bytes(content)
    (tmp_path / 'key').chmod(0o600)
    assert main(['key', 'fingerprint', str(tmp_path / 'key')]) == 2
    said = capsys.readouterr().err
    assert 'is not a key file: ' in said
    assert 'hii-mm keygen makes a key' in said


def test_a_missing_key_file(tmp_path, capsys):
    assert main(['key', 'fingerprint', str(tmp_path / 'none')]) == 2
    assert 'cannot be read: No such file or directory' in capsys.readouterr().err
    assert main(['key', 'fingerprint', str(tmp_path)]) == 2


@pytest.mark.parametrize('command', [['keygen'], ['key', 'import', '/dev/null']])
def test_no_key_is_written_into_a_copy(copy, capsys, command):
    assert main([*command, str(copy / 'new.key')]) == 2
    said = capsys.readouterr().err
    assert 'new.key' in said
    assert f'lies inside the encrypted copy {str(copy)!r}' in said
    assert not (copy / 'new.key').exists()


def exported(keyfile, capsys):
    """Return what ``key export --paper`` prints."""
    capsys.readouterr()
    assert main(['key', 'export', str(keyfile), '--paper']) == 0
    said = capsys.readouterr()
    assert 'this is the key itself' in said.err
    return said.out


def test_a_key_goes_to_paper_and_back(keyfile, tmp_path, capsys, monkeypatch):
    paper = exported(keyfile, capsys)
    assert 'This is the key itself' in paper
    (tmp_path / 'typed').write_text(paper.upper().replace('0', 'O'))
    assert main(['key', 'import', str(tmp_path / 'typed'), str(tmp_path / 'file')]) == 0
    said = capsys.readouterr().out
    assert f'the key with the fingerprint {read_key(keyfile).fingerprint}' in said
    assert f'Now remove {tmp_path / "typed"}' in said
    monkeypatch.setattr('sys.stdin', io.StringIO(paper))
    assert main(['key', 'import', '-', str(tmp_path / 'stdin')]) == 0
    for name in ('file', 'stdin'):
        assert (tmp_path / name).read_bytes() == keyfile.read_bytes()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_typing_error_is_named_and_nothing_is_written(keyfile, tmp_path, capsys):
    lines = exported(keyfile, capsys).splitlines()
    third = lines.index(next(line for line in lines if line.startswith('3:')))
    lines[third] = lines[third][:-1] + ('0' if lines[third][-1] != '0' else '1')
    (tmp_path / 'typed').write_text('\n'.join(lines))
    assert main(['key', 'import', str(tmp_path / 'typed'), str(tmp_path / 'new')]) == 2
    assert 'the backup was not typed correctly: line 3: its checksum is wrong' in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()
    assert main(['key', 'import', str(tmp_path / 'none'), str(tmp_path / 'new')]) == 2
    assert 'cannot be read: No such file' in capsys.readouterr().err


def test_export_needs_to_be_told_how(keyfile, capsys):
    with pytest.raises(SystemExit) as error:
        main(['key', 'export', str(keyfile)])
    assert error.value.code == 2
    assert '--paper' in capsys.readouterr().err


def test_a_passphrase_is_asked_twice_for_a_new_key_and_once_for_an_old_one(tmp_path, monkeypatch, capsys):
    prompts = typed(monkeypatch, 'five words', 'five words', 'five words', 'other')
    path = str(tmp_path / 'key')
    assert main(['keygen', path, '--passphrase']) == 0
    assert main(['key', 'fingerprint', path]) == 0
    assert capsys.readouterr().out.endswith(f'{read_key(path, passphrase="five words").fingerprint}\n')
    assert prompts == ['New passphrase: ', 'The same again: ', f'Passphrase of {path}: ']
    assert main(['key', 'fingerprint', path]) == 2
    assert 'the passphrase is wrong' in capsys.readouterr().err


@pytest.mark.parametrize('answers, message', [(('',), 'the passphrase is empty'), (('a', 'b'), 'the two passphrases')])
def test_no_key_is_written_with_a_wrong_new_passphrase(tmp_path, monkeypatch, capsys, answers, message):
    typed(monkeypatch, *answers)
    assert main(['keygen', str(tmp_path / 'key'), '--passphrase']) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_passphrase_from_a_file_or_a_descriptor(sealed, words, capsys, monkeypatch):
    fingerprint = read_key(sealed, passphrase='five words').fingerprint
    capsys.readouterr()
    reader, writer = os.pipe()
    os.write(writer, b'five words\n')
    os.close(writer)
    for flags in (['--passphrase-file', words], ['--passphrase-file', f'/dev/fd/{reader}'], []):
        if not flags:
            monkeypatch.setenv('HII_MM_PASSPHRASE_FILE', words)
        assert main(['key', 'fingerprint', sealed, *flags]) == 0
        assert capsys.readouterr().out == f'{fingerprint}\n'
    os.close(reader)


def test_a_passphrase_without_a_terminal_is_a_message(sealed):
    process = start('key', 'fingerprint', sealed, stdin=subprocess.DEVNULL, start_new_session=True)
    _, said = process.communicate()
    assert process.returncode == 2
    assert 'there is no terminal to ask on; pass --passphrase-file FILE or set $HII_MM_PASSPHRASE_FILE' in said


def test_a_protected_key_does_everything(sealed, words, src, tmp_path, capsys):
    dst, key = str(tmp_path / 'dst'), ['--key', sealed, '--passphrase-file', words]
    assert main(['encrypt', str(src), dst, '--patch-size', '16', *key]) == 0
    assert main(['verify', dst, '--against', str(src), *key]) == 0
    assert main(['decrypt', dst, str(tmp_path / 'out'), *key]) == 0
    assert main(['key', 'export', sealed, '--paper', '--passphrase-file', words]) == 0
    (tmp_path / 'typed').write_text(capsys.readouterr().out)
    assert main(['key', 'import', str(tmp_path / 'typed'), str(tmp_path / 'new'), '--passphrase-file', words]) == 0
    assert main(['verify', dst, '--key', str(tmp_path / 'new'), '--passphrase-file', words]) == 0
