"""``hii-mm keygen``: create a key file."""

from __future__ import annotations

import argparse

from . import console, passphrase


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write a new random key to KEYFILE, which only you can read (mode 0600). One key can encrypt any number of '
        'data sets.'
    )
    parser.add_argument('keyfile', metavar='KEYFILE', help='a new file, outside the data set and its copy')
    passphrase.add_new(parser)


def run(args: argparse.Namespace) -> int:
    """Create the key and print its fingerprint."""
    from ..encryption import write_new_key
    from ..handover.safety import check_outside_copy

    check_outside_copy(args.keyfile, 'KEYFILE')
    key = write_new_key(args.keyfile, passphrase.new(args))
    print(f'Wrote {console.shown(args.keyfile)}, a new key with the fingerprint {key.fingerprint}.')
    print('Back it up: without it nobody can decrypt the copy or prove that it is unchanged.')
    print(f'For a backup on paper: hii-mm key export {console.shown(args.keyfile)} --paper')
    return 0
