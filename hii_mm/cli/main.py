"""The entry point of ``hii-mm``: choose a command, run it, and turn errors into messages and exit codes.

Only the module of the chosen command is imported, so that help and wrong
arguments are answered without NumPy.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from ..errors import HiiError
from ..version import __version__
from . import arguments, console

COMMANDS = {
    'keygen': 'create a key file',
    'key fingerprint': 'print the fingerprint of a key',
    'key export': 'print a key for a backup on paper',
    'key import': 'make a key file from a backup on paper',
    'encrypt': 'write an encrypted copy of a data set',
    'verify': 'check an encrypted copy',
    'decrypt': 'restore the images of an encrypted copy',
    'manifest merge': 'finish a copy that was encrypted in parts',
    'preview': 'show images beside their encrypted version',
    'init': 'write a config that trains on your own data',
    'predict': 'predict with a trained model, on plain and on encrypted pictures',
    'info': 'say how the images are encrypted that a checkpoint, a copy or a config is for',
    'mm': 'run a tool of mmdet, mmpretrain or hii_mm',
    'recommend': 'try settings on photos and advise one',
    'attack': 'attack encrypted images and report what was recovered',
    'attack-train': 'train an attack that learns, on public photos',
    'doctor': 'check the installation',
}
_UNDERSCORES = str.maketrans(' -', '__')
INTERRUPTED, READER_GONE = 130, 141  # as shells report SIGINT and SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the words behind ``hii-mm``; the default is those of this process.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage; some commands have more.

    Raises:
        SystemExit: after help or the version (0), and for arguments that the
            parser does not accept (2).
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    command, rest = _choose(argv)
    module = _module(command)
    args = _parser(command, module).parse_args(rest)
    args.command, args.words = command, argv
    return _run(module, args)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by its words."""
    return {command: _parser(command, _module(command)) for command in COMMANDS}


def _choose(argv: list[str]) -> tuple[str, list[str]]:
    """Return the command that the first words name, and the other words.

    Raises:
        SystemExit: no command, a wrong one, ``--help`` or ``--version``.
    """
    length = next((length for length in (1, 2) if ' '.join(argv[:length]) in COMMANDS), None)
    if length is None:
        _explain(argv)
    return ' '.join(argv[:length]), argv[length:]


def _explain(argv: list[str]) -> NoReturn:
    """Answer words that name no command: with help, the version, or what is wrong."""
    group = argv[0] if argv and any(command.startswith(f'{argv[0]} ') for command in COMMANDS) else ''
    listing = _listing(group)
    listing.parse_args(argv[1:2] if group else argv[:1])
    listing.error('a command is missing')


def _listing(group: str = '') -> argparse.ArgumentParser:
    """Return the parser of ``hii-mm``, or of a group of commands such as ``hii-mm key``: it lists commands."""
    prefix = f'{group} ' if group else ''
    listed = {command: text for command, text in COMMANDS.items() if command.startswith(prefix)}
    lines = [f'  {command:16}  {text}' for command, text in listed.items()]
    parser = arguments.Parser(
        prog=f'hii-mm {group}'.strip(),
        usage=f'hii-mm {prefix}[-h] COMMAND ...' if group else 'hii-mm [-h] [--version] COMMAND ...',
        description='Train vision models on images that people should not look at.' if not group else None,
        epilog='\n'.join(['commands:', *lines, '', 'hii-mm COMMAND --help explains a command.']),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(dict.fromkeys(command.removeprefix(prefix).split()[0] for command in listed))
    parser.add_argument('command', metavar='COMMAND', nargs='?', choices=names, help=argparse.SUPPRESS)
    if not group:
        parser.add_argument('--version', action='version', version=f'hii-mm {__version__}')
    return parser


def _module(command: str) -> ModuleType:
    """Import the module of a command."""
    return importlib.import_module(f'.{command.translate(_UNDERSCORES)}', __package__)


def _parser(command: str, module: ModuleType) -> argparse.ArgumentParser:
    """Return the parser of a command: one of its own, so that errors name it."""
    parser = arguments.Parser(prog=f'hii-mm {command}')
    module.add_arguments(parser)
    return parser


def _run(module: ModuleType, args: argparse.Namespace) -> int:
    """Run a command and return its exit code; the one place where errors become messages."""
    try:
        code: int = module.run(args)
        if sys.stdout is not None:  # it is where the shell closed it
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        if sys.stderr is not None and sys.stderr.isatty():
            print(file=sys.stderr)  # behind the ^C that the terminal shows
        advice = getattr(module, 'INTERRUPTED', '')
        message, code = 'interrupted' + (f': {advice}' if advice else ''), INTERRUPTED
    except BrokenPipeError:  # as in: hii-mm verify DST | head
        _settle_output()
        return READER_GONE
    except HiiError as error:
        message, code = str(error), error.exit_code
    except OSError as error:
        _settle_output()
        message, code = console.reason(error), 1
    console.warn(args.command, message)
    return code


def _settle_output() -> None:
    """Flush stdout; where that fails send the rest to /dev/null, or Python tries again as it ends."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # io.UnsupportedOperation is both
            handle = os.open(os.devnull, os.O_WRONLY)
            os.dup2(handle, sys.stdout.fileno())
            os.close(handle)
