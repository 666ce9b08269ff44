"""Ask for passphrases, or read them from the file that a flag or the environment names."""

from __future__ import annotations

import argparse
import getpass
import os
import warnings
from collections.abc import Callable

from ..errors import UsageError
from . import console

VARIABLE = 'HII_MM_PASSPHRASE_FILE'


def add_file(parser: argparse._ActionsContainer) -> None:
    """Add ``--passphrase-file``."""
    parser.add_argument(
        '--passphrase-file',
        metavar='FILE',
        help=f'read the passphrase of a protected key from the first line of FILE (default: ${VARIABLE}, or ask)',
    )


def add_new(parser: argparse._ActionsContainer) -> None:
    """Add ``--passphrase`` and ``--passphrase-file``, for commands that write a key file."""
    parser.add_argument(
        '--passphrase', action='store_true', help='ask for a passphrase, without which the file is of no use'
    )
    parser.add_argument(
        '--passphrase-file', metavar='FILE', help='protect the key by the passphrase in the first line of FILE'
    )


def source(args: argparse.Namespace, keyfile: str) -> Callable[[], str]:
    """Return a function that gets the passphrase of a key file, to be called if the file needs one."""

    def get() -> str:
        given = _from_file(args)
        return _ask(f'Passphrase of {console.shown(keyfile)}: ') if given is None else given

    return get


def new(args: argparse.Namespace) -> str | None:
    """Return the passphrase for a new key file, or None if none is wanted.

    Raises:
        UsageError: an empty one, or two that differ.
        KeyFileError: the file of the passphrase cannot be used.
    """
    if not args.passphrase and not args.passphrase_file:
        return None
    if args.passphrase_file:
        return _from_file(args)
    first = _ask('New passphrase: ')
    if not first:
        raise UsageError('the passphrase is empty; choose one, such as five or more random words')
    if _ask('The same again: ') != first:
        raise UsageError('the two passphrases differ; nothing was written')
    return first


def _from_file(args: argparse.Namespace) -> str | None:
    """Return the passphrase in the file that the flag or the environment names, or None."""
    from ..encryption import read_passphrase

    path = args.passphrase_file or os.environ.get(VARIABLE)
    return read_passphrase(path, getattr(args, 'insecure_key_permissions', False)) if path else None


def _ask(prompt: str) -> str:
    """Ask on the terminal, without showing what is typed.

    Raises:
        UsageError: there is no terminal.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('error', getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            raise UsageError(
                'a passphrase is needed, but there is no terminal to ask on; pass --passphrase-file FILE '
                f'or set ${VARIABLE}'
            ) from None
