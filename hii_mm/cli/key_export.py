"""``hii-mm key export``: print a key for a backup on paper."""

from __future__ import annotations

import argparse
import sys

from . import arguments, console, passphrase


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Print the key itself, without passphrase, as lines to keep on paper. Each line has a checksum, so that '
        'hii-mm key import finds typing errors.'
    )
    parser.add_argument('keyfile', metavar='KEYFILE')
    parser.add_argument('--paper', action='store_true', required=True, help='as lines that can be typed in again')
    arguments.add_opening(parser)


def run(args: argparse.Namespace) -> int:
    """Print the key."""
    from ..encryption import read_key, to_paper

    key = read_key(args.keyfile, args.insecure_key_permissions, passphrase.source(args, args.keyfile))
    print(to_paper(key), end='')
    if sys.stdout is not None and not sys.stdout.isatty():
        console.warn(args.command, 'this is the key itself: print it, then remove the file that it was written to')
    return 0
