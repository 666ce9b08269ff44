"""``hii-mm key import``: make a key file from a backup on paper."""

from __future__ import annotations

import argparse
import sys

from ..errors import KeyFileError
from . import console, passphrase

MAX_CHARACTERS = 1 << 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write the new key file KEYFILE from the lines that hii-mm key export --paper printed, typed in. Lines that '
        'are missing or typed wrongly are named.'
    )
    parser.add_argument('backup', metavar='FILE', help="the lines; '-' reads them from the terminal up to Ctrl-D")
    parser.add_argument('keyfile', metavar='KEYFILE', help='a new file, outside the data set and its copy')
    passphrase.add_new(parser)


def run(args: argparse.Namespace) -> int:
    """Write the key file and print its fingerprint."""
    from ..encryption import from_paper, write_key
    from ..handover.safety import check_outside_copy

    check_outside_copy(args.keyfile, 'KEYFILE')
    key = from_paper(_text(args.backup))
    write_key(args.keyfile, key, passphrase.new(args))
    print(f'Wrote {console.shown(args.keyfile)}, the key with the fingerprint {key.fingerprint}.')
    if args.backup != '-':
        print(f'Now remove {console.shown(args.backup)}: it holds the key, too.')
    return 0


def _text(path: str) -> str:
    """Return what was typed.

    Raises:
        KeyFileError: it cannot be read.
    """
    try:
        if path == '-':
            return sys.stdin.read(MAX_CHARACTERS)
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read(MAX_CHARACTERS)
    except OSError as error:
        raise KeyFileError(f'{path!r} cannot be read: {error.strerror}') from None
