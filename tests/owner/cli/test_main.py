"""The entry point: help without heavy imports, usage of the right command, errors as messages and exit codes."""

import os
import subprocess
import sys
import time

import pytest

from helpers import ROOT
from hii_mm import __version__
from hii_mm.cli import arguments, console
from hii_mm.cli.main import COMMANDS, main, parsers

HEAVY = ('numpy', 'PIL', 'cryptography', 'torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'scipy', 'matplotlib')


def started(*words, **options):
    """``hii-mm`` as a process of its own."""
    command = [sys.executable, '-m', 'hii_mm', *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)


def refused(capsys, *words):
    """What the parser says of arguments that it does not accept."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    assert end.value.code == 2
    return capsys.readouterr().err


def test_help_and_wrong_arguments_import_nothing_heavy(run):
    words = [['--help'], ['--version'], ['wrong'], ['key'], []]
    words += [[*command.split(), flag] for command in COMMANDS for flag in ('--help', '--wrong', '--workers=none')]
    code = (
        'import contextlib, io, sys\nfrom hii_mm.cli.main import main, parsers\n'
        f'for words in {words}:\n'
        '    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n'
        '        try:\n            main(words)\n'
        '        except SystemExit:\n            continue\n'
        "    sys.exit(f'{words} were accepted')\n"
        f'parsers()\nprint(sorted({set(HEAVY)} & set(sys.modules)))'
    )
    assert run('-c', code).stdout.strip() == '[]'


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        main(['--help'])
    assert end.value.code == 0
    said = capsys.readouterr().out
    for command, text in COMMANDS.items():
        assert f'  {command} ' in said
        assert text in said


def test_the_version(run):
    assert run('-m', 'hii_mm', '--version').stdout == f'hii-mm {__version__}\n'


@pytest.mark.parametrize('command', COMMANDS)
def test_each_command_has_a_parser_help_and_its_own_usage(command, capsys):
    parser = parsers()[command]
    assert parser.prog == f'hii-mm {command}'
    assert parser.description
    assert f'usage: hii-mm {command} [-h]' in parser.format_help()
    said = refused(capsys, *command.split(), '--wrong')
    assert said.startswith(f'hii-mm {command}: ')
    assert said.endswith(f'; see hii-mm {command} --help\n')
    assert said.count('\n') == 1


def test_an_unknown_flag_is_named(capsys):
    said = refused(capsys, 'verify', 'DST', '--keys', 'x')
    assert said == 'hii-mm verify: unrecognized arguments: --keys x; see hii-mm verify --help\n'


def test_an_unknown_flag_cannot_command_the_terminal(capsys):
    said = refused(capsys, 'verify', 'DST', '--\x1b[2J')
    assert said == 'hii-mm verify: unrecognized arguments: --\\x1b[2J; see hii-mm verify --help\n'


@pytest.mark.parametrize(
    'words, prog, message',
    [
        ([], 'hii-mm', 'a command is missing'),
        (['encypt'], 'hii-mm', "invalid choice: 'encypt'"),
        (['--quiet', 'encrypt'], 'hii-mm', 'unrecognized arguments: --quiet'),
        (['key'], 'hii-mm key', 'a command is missing'),
        (['key', 'print'], 'hii-mm key', "invalid choice: 'print'"),
        (['manifest', '--wrong'], 'hii-mm manifest', 'unrecognized arguments: --wrong'),
    ],
)
def test_words_that_name_no_command(capsys, words, prog, message):
    said = refused(capsys, *words)
    assert said.startswith(f'{prog}: ')
    assert said.endswith(f'; see {prog} --help\n')
    assert message in said


@pytest.mark.parametrize(
    'words, message',
    [
        (['encrypt', 'a', 'b', '--workers', '0'], "--workers: must be a whole number of at least 1, got '0'"),
        (['encrypt', 'a', 'b', '--shard-size', 'x'], "--shard-size: must be a whole number of at least 1, got 'x'"),
        (['encrypt', 'a', 'b', '--size', '640'], "--size: must be WxH or short:N, got '640'"),
        (['encrypt', 'a', 'b', '--size', '0x16'], "--size: must be WxH or short:N, got '0x16'"),
        (['encrypt', 'a', 'b', '--shard', '4/3'], "--shard: must be I/N with I from 1 to N, got '4/3'"),
        (['encrypt', 'a', 'b', '--shard', '0/3'], "--shard: must be I/N with I from 1 to N, got '0/3'"),
        (['encrypt', 'a', 'b', '--fit', 'zoom'], "--fit: invalid choice: 'zoom'"),
        (['verify'], 'the following arguments are required: DST'),
        (['preview', 'a.png'], 'the following arguments are required: --out'),
        (['preview', 'a.png', '--out'], '--out: expected one argument'),
        (['attack', 'a', '--out', 'r', '--budget', 'nan'], '--budget: must be a number of minutes of at least 0'),
        (['recommend', 'a', '--out', 'r', '--minutes', '0'], '--minutes: must be a number of minutes above 0, got'),
        (['attack', 'a', '--out', 'r', '--attacks', ','], "--attacks: must name at least one, got ','"),
        (['attack', 'a', '--out', 'r', '--checkpoint', 'parrot'], "--checkpoint: must be ATTACK=FILE, got 'parrot'"),
        (['attack-train', 'parrot', '--public', 'a', '--out', 'b', '--steps', '0'], '--steps: must be a whole number'),
    ],
)  # fmt: skip
def test_values_that_are_not_accepted(capsys, words, message):
    said = refused(capsys, *words)
    assert message in said
    assert said.startswith(f'hii-mm {words[0]}: ')
    assert said.count('\n') == 1


def test_values_that_are_accepted():
    parser = parsers()['encrypt']
    args = parser.parse_args(['a', 'b', '--size', '640x480', '--shard', '2/3'])
    assert (args.size, args.shard) == ((640, 480), (1, 3))
    assert parser.parse_args(['a', 'b', '--size', 'short:256']).size == 256


def test_the_choices_are_those_of_the_library():
    from hii_mm.encryption import checks, scheme
    from hii_mm.handover import settings

    assert arguments.STRATEGIES == scheme.STRATEGIES
    assert arguments.REMAINDERS == checks.REMAINDERS
    assert arguments.FITS == settings.FITS
    assert tuple(settings.EXTENSIONS) == arguments.FORMATS


def test_a_system_error_is_a_path_and_a_reason(tmp_path, capsys):
    (tmp_path / 'a.png').write_bytes(b'')
    (tmp_path / 'file').write_text('')
    assert main(['keygen', str(tmp_path / 'file' / 'key')]) == 2
    assert 'Not a directory' in capsys.readouterr().err
    error = PermissionError(13, 'Permission denied', 'out/a.png')
    assert console.reason(error) == 'out/a.png: Permission denied'
    assert console.reason(OSError('a worker was killed')) == 'a worker was killed'


@pytest.fixture
def keyfile(tmp_path):
    assert main(['keygen', str(tmp_path / 'key')]) == 0
    return tmp_path / 'key'


def test_a_reader_that_leaves_is_not_an_error(keyfile):
    """As in ``hii-mm verify DST | head``."""
    read, write = os.pipe()
    os.close(read)
    process = started('key', 'fingerprint', keyfile, stdout=write)
    os.close(write)
    assert process.communicate()[1] == ''
    assert process.returncode == 141


def test_a_full_disk_is_a_message(keyfile):
    if not os.path.exists('/dev/full'):
        pytest.skip('/dev/full is missing')
    with open('/dev/full', 'w') as full:
        process = started('key', 'fingerprint', keyfile, stdout=full)
        said = process.communicate()[1]
    assert said.splitlines()[0] == 'hii-mm key fingerprint: No space left on device'
    assert process.returncode != 0


def test_names_that_cannot_be_printed_are_escaped():
    assert console.shown('plain/\u00e4.png') == 'plain/\u00e4.png'
    assert console.shown('a\x1b[2J.png') == 'a\\x1b[2J.png'
    assert console.shown(b'\xff.png'.decode('utf-8', 'surrogateescape')) == '\\udcff.png'
    assert console.shown('two\nlines') == 'two\nlines'


def test_progress_is_a_line_now_and_then_where_stderr_is_not_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(console, 'LOG_SECONDS', 0.0)
    with console.progress('encrypt', 'image', quiet=False) as progress:
        for done in range(4):
            progress(done, 3, f'image {done}')
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith('encrypt: 3 of 3 images, ')
    assert lines[-1].endswith(' left, image 3')
    assert not [line for line in lines if '\r' in line]


@pytest.mark.parametrize('total, left', [(1000, '00:59'), (3, '00:00')])
def test_progress_shows_no_more_time_than_a_task_has(capsys, monkeypatch, total, left):
    monkeypatch.setattr(console, 'LOG_SECONDS', 0.0)
    with console.progress('recommend', 'run', quiet=False, seconds=60) as progress:
        progress(1, total)
        time.sleep(0.1)  # so that a thousand runs would take more than a minute
        progress(2, total)
    assert capsys.readouterr().err.splitlines()[-1].endswith(f' elapsed, {left} left')


@pytest.mark.parametrize('size, limit', [((0, 0), ''), ((24, 100), ''), ((24, 100), ', seconds=60')])
def test_progress_is_a_bar_on_a_terminal(size, limit):
    import fcntl
    import pty
    import struct
    import termios

    code = (
        'from hii_mm.cli import console\n'
        f"with console.progress('encrypt', 'image', quiet=False{limit}) as progress:\n"
        "    [progress(done, 3, 'note') for done in (1, 3)]\n"
    )
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack('HHHH', *size, 0, 0))
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, stderr=stderr, check=True)
    os.close(stderr)
    shown = os.read(terminal, 10000).decode()
    assert '\rencrypt:  33%|' in shown
    assert ' 3/3 [00:00<00:00, ' in shown
    assert 'images/s, note]' in shown
    assert shown.endswith('\r\n')


def test_progress_of_a_short_run_is_not_logged(capsys):
    with console.progress('encrypt', 'image', quiet=False) as progress:
        progress(0, 2)
        progress(2, 2)
    with console.progress('encrypt', 'image', quiet=True) as progress:
        progress(1, 2)
    assert capsys.readouterr().err == ''
