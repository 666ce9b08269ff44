"""``hii-mm key fingerprint``: print the fingerprint of a key."""

from __future__ import annotations

import argparse

from . import arguments, passphrase


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = 'Print the 16 hex digits that identify a key. They reveal nothing about it.'
    parser.add_argument('keyfile', metavar='KEYFILE')
    arguments.add_opening(parser)


def run(args: argparse.Namespace) -> int:
    """Print the fingerprint."""
    from ..encryption import read_key

    source = passphrase.source(args, args.keyfile)
    print(read_key(args.keyfile, args.insecure_key_permissions, source).fingerprint)
    return 0
