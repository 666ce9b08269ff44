"""``hii-mm verify`` and ``decrypt``: messages and exit codes. The library is tested in tests/owner/handover."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers import ROOT
from hii_mm.cli.main import main

QUICK = ['--quiet', '--workers', '1']


def hii_mm(*words, code=0):
    assert main([str(word) for word in words]) == code


@pytest.fixture
def copy(src, key, tmp_path, capsys):
    """An encrypted copy."""
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, '--patch-size', 16, *QUICK)
    capsys.readouterr()
    return tmp_path / 'dst'


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv('HII_MM_KEY_FILE', raising=False)


def flip_byte(path):
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def test_verify_says_what_was_checked(copy, src, key, capsys):
    hii_mm('verify', copy, *QUICK)
    assert capsys.readouterr().out == (
        f'{copy}: OK: sizes are valid (the signature was not checked: that needs --key; '
        'images were not read: that needs --deep)\n'
    )
    hii_mm('verify', copy, '--deep', *QUICK)
    assert capsys.readouterr().out == (
        f'{copy}: OK: checksums are valid (the signature was not checked: that needs --key)\n'
    )
    hii_mm('verify', copy, '--key', key, *QUICK)
    assert capsys.readouterr().out == (
        f'{copy}: OK: signature and sizes are valid (images were not read: that needs --deep)\n'
    )
    hii_mm('verify', copy, '--key', key, '--deep', *QUICK)
    assert capsys.readouterr().out == f'{copy}: OK: signature and checksums are valid\n'
    hii_mm('verify', copy, '--key', key, '--against', src, *QUICK)
    said = capsys.readouterr()
    assert said.out == f'{copy}: OK: signature and checksums are valid, and SRC encrypts to the same images\n'
    assert said.err == ''


def test_verify_names_each_problem(copy, key, capsys):
    flip_byte(copy / 'class0' / 'a.png')
    hii_mm('verify', copy, *QUICK)
    capsys.readouterr()
    hii_mm('verify', copy, '--deep', *QUICK, code=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('class0/a.png: ')
    assert lines[1:] == [f'{copy}: 1 problem found']
    (copy / 'class1' / 'd.png').unlink()
    hii_mm('verify', copy, '--key', key, '--deep', *QUICK, code=1)
    lines = capsys.readouterr().out.splitlines()
    assert {line.split(':')[0] for line in lines[:-1]} == {'class0/a.png', 'class1/d.png'}
    assert lines[-1] == f'{copy}: 2 problems found'


def test_verify_against_another_source(copy, src, key, capsys):
    (src / 'class0' / 'a.png').unlink()
    hii_mm('verify', copy, '--key', key, '--against', src, *QUICK, code=1)
    assert capsys.readouterr().out.startswith('class0/a.png: ')


def test_verify_with_another_key(copy, tmp_path, capsys):
    hii_mm('keygen', tmp_path / 'other')
    capsys.readouterr()
    hii_mm('verify', copy, '--key', tmp_path / 'other', *QUICK, code=1)
    assert capsys.readouterr().out.startswith('manifest.json: ')


def test_verify_needs_a_key_to_compare(copy, src, key, capsys, monkeypatch):
    hii_mm('verify', copy, '--against', src, *QUICK, code=2)
    assert capsys.readouterr().err == (
        'hii-mm verify: --against needs --key or $HII_MM_KEY_FILE, because SRC is encrypted again\n'
    )
    monkeypatch.setenv('HII_MM_KEY_FILE', key)
    hii_mm('verify', copy, '--against', src, *QUICK)
    hii_mm('verify', copy, '--against', src / 'none', *QUICK, code=2)
    assert f'--against: {src / "none"} is not a folder' in capsys.readouterr().err


def test_where_there_is_no_copy(src, key, tmp_path, capsys):
    (tmp_path / 'part' / '.hii-mm').mkdir(parents=True)
    for folder in ('none', 'part', 'src'):
        hii_mm('verify', tmp_path / folder, *QUICK, code=1)
        said = capsys.readouterr().out
        assert str(tmp_path / folder) in said
        assert ('--resume' in said) == (folder == 'part')
        hii_mm('decrypt', tmp_path / folder, tmp_path / 'out', '--key', key, *QUICK, code=1)
        assert capsys.readouterr().err.startswith('hii-mm decrypt: ')
        assert not (tmp_path / 'out').exists()


def test_file_names_cannot_command_the_terminal(copy, capsys):
    (copy / 'a\x1b[2Jb.png').write_bytes(b'')
    hii_mm('verify', copy, *QUICK, code=1)
    said = capsys.readouterr().out
    assert 'a\\x1b[2Jb.png: ' in said
    assert '\x1b' not in said


def test_verify_into_a_pipe_that_closes(copy):
    """As in ``hii-mm verify DST | head``."""
    for number in range(2000):
        (copy / f'{number:050}').touch()
    command = [sys.executable, '-m', 'hii_mm', 'verify', str(copy), '--workers', '1']
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b''
    assert process.wait() == 141


def test_decrypt_restores_the_images(copy, src, key, tmp_path, capsys):
    hii_mm('decrypt', copy, tmp_path / 'out', '--key', key, *QUICK)
    said = capsys.readouterr()
    assert said.out == f'Decrypted 6 images to {tmp_path / "out"} (0 failed)\n'
    assert said.err == ''
    for name in ('class0/a.png', 'class1/f.png'):
        assert (np.asarray(Image.open(tmp_path / 'out' / name)) == np.asarray(Image.open(src / name))).all()


def test_decrypt_says_how_much_is_lost(src, key, tmp_path, capsys):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, '--gap', 4, *QUICK)
    hii_mm('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK)
    said = capsys.readouterr().out
    assert '75.0% of the pixels were removed by gap, drop or crop; they are black' in said and 'Noise' not in said


def test_decrypt_says_what_noise_leaves(src, key, tmp_path, capsys):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, '--noise', 20, *QUICK)
    hii_mm('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK)
    assert 'Noise of 20 was taken off, but for values that it had moved to black or white' in capsys.readouterr().out


def test_decrypt_of_pseudonyms_needs_their_map(src, key, tmp_path, capsys):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, '--patch-size', 16, '--rename', *QUICK)
    hii_mm('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK)
    assert (tmp_path / 'out' / 'class0' / 'a.png').is_file()
    os.rename(f'{key}.names.jsonl', tmp_path / 'moved')
    hii_mm('decrypt', tmp_path / 'dst', tmp_path / 'new', '--key', key, *QUICK, code=2)
    assert f'{key}.names.jsonl' in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()


def test_decrypt_names_the_images_that_failed(copy, key, tmp_path, capsys):
    shutil.copy(copy / 'class0' / 'a.png', copy / 'class0' / 'b.png')
    hii_mm('decrypt', copy, tmp_path / 'out', '--key', key, *QUICK, code=1)
    said = capsys.readouterr()
    assert said.err.startswith('class0/b.png: ')
    assert said.out == f'Decrypted 5 images to {tmp_path / "out"} (1 failed)\n'


@pytest.mark.parametrize(
    'out, flags, message',
    [
        ('new', [], 'no key given: pass --key KEYFILE'),
        ('new', ['--key', 'other'], 'key'),
        ('new', ['--key', 'none'], 'cannot be read: No such file or directory'),
        ('src', ['--key', 'key'], 'is not empty'),
        ('dst/plain', ['--key', 'key'], 'must not contain each other'),
        ('two/plain', ['--key', 'key'], 'lies inside the encrypted copy'),
    ],
)
def test_what_decrypt_refuses_writes_nothing(copy, tmp_path, capsys, out, flags, message):
    hii_mm('keygen', tmp_path / 'other')
    shutil.copytree(copy, tmp_path / 'two')
    before = sorted(tmp_path.rglob('*'))
    capsys.readouterr()
    flags = [tmp_path / flag if not flag.startswith('--') else flag for flag in flags]
    hii_mm('decrypt', copy, tmp_path / out, *flags, *QUICK, code=2)
    said = capsys.readouterr().err
    assert said.startswith('hii-mm decrypt: ')
    assert message in said
    assert sorted(tmp_path.rglob('*')) == before


def test_mixed_images_cannot_be_decrypted(src, key, tmp_path, capsys):
    hii_mm('encrypt', src, tmp_path / 'mixed', '--key', key, '--strategy', 'mixup', *QUICK)
    capsys.readouterr()
    hii_mm('decrypt', tmp_path / 'mixed', tmp_path / 'out', '--key', key, *QUICK, code=2)
    assert 'averaged 4 pixels into each one' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_decryption_that_was_stopped(copy, key, tmp_path, capsys, monkeypatch):
    from hii_mm.cli import console

    class Stopping:
        def __call__(self, done, total, note=''):
            if done == 3:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(console, 'silent', Stopping())
        hii_mm('decrypt', copy, tmp_path / 'out', '--key', key, *QUICK, code=130)
    assert 'interrupted: run the same command with --resume to continue' in capsys.readouterr().err
    hii_mm('decrypt', copy, tmp_path / 'out', '--key', key, *QUICK, code=2)
    assert 'holds a decryption that was stopped; continue it with --resume' in capsys.readouterr().err
    hii_mm('decrypt', copy, tmp_path / 'out', '--key', key, '--resume', *QUICK)
    assert capsys.readouterr().out == f'Decrypted 6 images to {tmp_path / "out"} (0 failed)\n'
    assert len(list((tmp_path / 'out').rglob('*'))) == 8


@pytest.mark.parametrize('umask, mode', [([], 0o600), (['--umask', '022'], 0o644), (['--umask', '0'], 0o666)])
def test_who_may_read_decrypted_images(copy, key, tmp_path, umask, mode):
    hii_mm('decrypt', copy, tmp_path / 'out', '--key', key, *umask, *QUICK)
    assert (tmp_path / 'out' / 'class0' / 'a.png').stat().st_mode & 0o777 == mode


@pytest.mark.parametrize('umask', ['8', '1000', '-1', 'x', '0o22', ''])
def test_a_wrong_umask(copy, key, tmp_path, capsys, umask):
    with pytest.raises(SystemExit):
        main(['decrypt', str(copy), str(tmp_path / 'out'), '--key', str(key), '--umask', umask])
    assert '--umask' in capsys.readouterr().err
