"""Rejected files: grouped output, the dry run, and the command that helps."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image

from hii_mm.cli.main import main
from hii_mm.handover import Problem
from hii_mm.handover.rejects import grouped

QUICK = ['--quiet', '--workers', '1', '--gap', '4']


def hii_mm(*words, code=0):
    assert main([str(word) for word in words]) == code


@pytest.fixture
def mixed(src):
    """Six images that fit, thirty that do not, and a file that is no image."""
    for number in range(30):
        pixels = np.full((50 + number % 3, 70, 3), number, np.uint8)
        Image.fromarray(pixels).save(src / 'class1' / f'odd{number:02}.png')
    (src / 'class0' / 'bad.png').write_bytes(b'not an image')
    return src


def test_reasons_that_differ_in_names_and_numbers_are_one_kind():
    rejects = [Problem(str(n), f"{n} x 5 pixels of 'a{n}.png' and \"it's {n}\"") for n in range(5)]
    rejects += [Problem('x', 'an empty file')]
    first, second = grouped([*rejects[5:], *rejects[:5]])
    assert (first.count, first.name, first.reason) == (5, '0', rejects[0].reason)
    assert (second.count, second.name, second.reason) == (1, 'x', 'an empty file')
    assert grouped([]) == []


def test_a_run_prints_one_line_for_each_kind_of_reason(mixed, key, tmp_path, capsys):
    words = ['encrypt', mixed, tmp_path / 'dst', '--key', key, *QUICK]
    hii_mm(*words, code=3)
    said = capsys.readouterr()
    assert said.out == f'Encrypted 6 images to {tmp_path / "dst"} (31 files rejected)\n'
    odd, bad, more = said.err.splitlines()
    assert odd.startswith('rejected: 30 files, such as class1/odd00.png: 70 x 50 pixels (w x h) are not a multiple of ')
    assert odd.endswith('use --fit crop, resize or pad')
    assert bad.startswith('rejected: class0/bad.png: not an image in ')
    assert more == '--list-rejects names each of them; a finished copy has them in rejects.jsonl'
    assert len((tmp_path / 'dst' / 'rejects.jsonl').read_text().splitlines()) == 31
    hii_mm(*words, '--resume', '--list-rejects', code=3)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 31
    assert sum(line.startswith('rejected: class1/odd') for line in lines) == 30
    hii_mm('manifest', 'merge', tmp_path / 'dst', '--key', key, code=3)
    assert capsys.readouterr().err.splitlines() == [odd, bad, more]


def test_resume_with_other_settings_names_the_command_that_works(mixed, key, tmp_path, capsys):
    words = ['encrypt', mixed, tmp_path / 'a copy', '--key', key, *QUICK]
    hii_mm(*words, code=3)
    capsys.readouterr()
    hii_mm(*words, '--resume', '--fit', 'crop', code=2)
    first, *_, command = capsys.readouterr().err.splitlines()
    assert 'holds a finished copy' in first
    assert 'parameters.fit = None, but now it is' in first
    assert shlex.split(command)[0] == 'hii-mm'
    assert str(tmp_path / 'a copy-2') in shlex.split(command)
    assert '--resume' not in command
    hii_mm(*shlex.split(command)[1:], code=3)
    assert 'Encrypted 36 images' in capsys.readouterr().out
    (tmp_path / 'a copy-3').mkdir()
    hii_mm(*words, '--fit', 'pad', code=2)
    assert str(tmp_path / 'a copy-4') in shlex.split(capsys.readouterr().err.splitlines()[-1])


def test_a_dry_run_says_what_would_happen_and_what_helps(mixed, tmp_path, capsys):
    before = sorted(tmp_path.rglob('*'))
    hii_mm('encrypt', mixed, tmp_path / 'dst', '--dry-run', *QUICK, code=3)
    said = capsys.readouterr()
    assert sorted(tmp_path.rglob('*')) == before
    lines = said.err.splitlines()
    assert lines[0].startswith('would be rejected: 30 files, such as class1/odd00.png: 70 x 50 pixels')
    assert lines[1].startswith('would be rejected: class0/bad.png: not an image in ')
    out = said.out.splitlines()
    assert out[:3] == ['--fit crop: 30 more', '--fit resize: 30 more', '--fit pad: 30 more']
    assert out[3] == 'Would encrypt 6 images (31 files rejected); nothing was written'
    assert out[4] == 'Sizes: 64 x 48 to 64 x 48 pixels; 75.0% of the pixels would be lost for good'
    assert 'encrypted about' in out[5] and 'time: about 1 s with 1 worker, measured on 6 images' in out[5]
    hii_mm('encrypt', mixed, tmp_path / 'dst', '--dry-run', '--list-rejects', *QUICK, code=3)
    assert len(capsys.readouterr().err.splitlines()) == 31


def test_a_dry_run_of_a_data_set_that_fits(src, tmp_path, capsys):
    hii_mm('encrypt', src, tmp_path / 'dst', '--dry-run', *QUICK)
    assert capsys.readouterr().out.startswith('Would encrypt 6 images (0 files rejected); nothing was written\n')


def test_a_dry_run_refuses_what_a_run_refuses(src, tmp_path, capsys):
    for words, message in (
        ([tmp_path / 'none', tmp_path / 'dst'], 'is not a folder'),
        ([src, src / 'dst'], 'must not contain each other'),
        ([src, tmp_path / 'dst', '--size', '60x60'], 'the nearest is 64x64'),
        ([src, tmp_path / 'dst', '--ann', tmp_path / 'none.json'], 'none.json'),
    ):
        hii_mm('encrypt', *words, '--dry-run', *QUICK, code=2)
        assert message in capsys.readouterr().err


def test_the_dry_run_agrees_with_the_run(mixed, key, tmp_path, capsys):
    for number, more in enumerate(([], ['--fit', 'crop'], ['--format', 'webp'], ['--size', '32x32'])):
        dst = tmp_path / str(number)
        hii_mm('encrypt', mixed, dst, '--dry-run', *more, *QUICK, code=3)
        dry = [line.removeprefix('would be ') for line in capsys.readouterr().err.splitlines()]
        hii_mm('encrypt', mixed, dst, '--key', key, *more, *QUICK, code=3)
        assert capsys.readouterr().err.splitlines() == dry
        rejected = json.loads((dst / 'manifest.json').read_text())['counts']['rejected']
        assert rejected == (31 if more in ([], ['--format', 'webp']) else 1)
