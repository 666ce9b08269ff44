"""Choosing a scheme: nothing is chosen for the owner, and little is not promised as much."""

import json

import pytest

from hii_mm import Manifest, Scheme
from hii_mm.cli import arguments
from hii_mm.cli.main import main, parsers
from hii_mm.named import choices
from hii_mm.presets import PRESETS, table, warning

QUICK = ['--quiet', '--workers', '1']


def hii_mm(*words, code=0):
    assert main([str(word) for word in words]) == code


def parameters(copy):
    return json.loads((copy / 'manifest.json').read_text())['parameters']


def test_encrypt_without_a_choice_lists_the_presets_and_the_options(src, key, tmp_path, capsys):
    for words in ([], ['--key', key], ['--key', key, '--fit', 'crop'], ['--dry-run']):
        hii_mm('encrypt', src, tmp_path / 'dst', *words, *QUICK, code=2)
        said = capsys.readouterr()
        assert said.out == ''
        assert said.err.startswith('hii-mm encrypt: choose how to encrypt')
        for line in table().splitlines():
            assert line in said.err
        for name in arguments.SCHEME:
            assert f'--{name.replace("_", "-")}' in said.err
        assert f'hii-mm recommend {src} --out report' in said.err
        assert f'hii-mm attack {src} --preset strong --out report' in said.err
        assert not (tmp_path / 'dst').exists()


@pytest.mark.parametrize(
    'flags',
    [
        ['--strategy', 'shuffle'],
        ['--patch-size', 16],
        ['--gap', 0],
        ['--drop-ratio', 0],
        ['--orient'],
        ['--tone'],
        ['--noise', 16],
        ['--window', 2],
        ['--grid', 2],
        ['--preset', 'paper-mi'],
    ],
    ids=lambda flags: flags[0],
)
def test_one_option_is_a_choice(src, key, tmp_path, flags):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *flags, *QUICK)
    assert (tmp_path / 'dst' / 'manifest.json').is_file()


@pytest.mark.parametrize('name', choices())
def test_a_preset_is_its_scheme(src, key, tmp_path, name):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, '--preset', name, '--fit', 'crop', *QUICK)
    assert parameters(tmp_path / 'dst')['fit'] == 'crop'
    assert Manifest(tmp_path / 'dst').settings.scheme.with_remainder('error') == Scheme.preset(name)


@pytest.mark.parametrize('command', ['encrypt', 'preview', 'attack', 'attack-train'])
def test_each_command_with_a_scheme_takes_a_preset(command):
    words = {'encrypt': ['a', 'b'], 'preview': ['a', '--out', 'b'], 'attack': ['a', '--out', 'b']}
    words['attack-train'] = ['parrot', '--public', 'a', '--out', 'b']
    args = parsers()[command].parse_args([*words[command], '--preset', 'paper-mi'])
    assert arguments.scheme(args).with_remainder('error') == PRESETS['paper-mi'].scheme
    assert arguments.scheme_flags(args) == ['--preset']
    assert arguments.scheme_flags(parsers()[command].parse_args(words[command])) == []


def test_a_preset_with_other_options_is_refused(src, key, tmp_path, capsys):
    words = ['--preset', 'paper-rs', '--gap', 0, '--orient']
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *words, *QUICK, code=2)
    assert '--preset paper-rs and --gap, --orient both describe a scheme; leave one out' in capsys.readouterr().err
    hii_mm('preview', src / 'class0' / 'a.png', '--out', tmp_path / 'out', *words, code=2)
    assert not (tmp_path / 'dst').exists()
    assert not (tmp_path / 'out').exists()


def test_the_defaults_of_the_flags_are_those_of_the_library(src):
    args = parsers()['encrypt'].parse_args(['a', 'b', '--patch-size', '16'])
    assert arguments.scheme(args) == PRESETS['paper-rs'].scheme


@pytest.mark.parametrize(
    'flags', [['--gap', 0], ['--gap', 1], ['--patch-size', 4], ['--strategy', 'mixup'], ['--preset', 'paper-rs']]
)
def test_a_scheme_that_hides_little_is_warned_about_in_one_line(src, key, tmp_path, capsys, flags):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *flags, *QUICK)
    (line,) = capsys.readouterr().err.splitlines()
    scheme = arguments.scheme(parsers()['encrypt'].parse_args(['a', 'b', *map(str, flags)]))
    assert line == f'hii-mm encrypt: warning: {warning(scheme)}'
    assert ' %' in line and 'docs/measured_attacks.md' in line


@pytest.mark.parametrize('flags', [['--gap', 4], ['--strategy', 'both', '--gap', 1], ['--preset', 'strong']])
def test_no_warning_for_schemes_of_which_less_is_recovered(src, key, tmp_path, capsys, flags):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *flags, *QUICK)
    assert capsys.readouterr().err == ''
