"""``hii-mm verify``: check an encrypted copy."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..errors import UsageError
from . import arguments, console

if TYPE_CHECKING:
    from ..handover import Verification


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Check the copy DST: the manifest and what it lists, images by their size. With --key: the signature too, '
        'which finds changes. With --deep: every byte of every file. With --against: encrypt SRC again and compare. '
        'Exit codes: 0 no problem, 1 problems found, 2 wrong usage.'
    )
    parser.add_argument('dst', metavar='DST', help='folder of the copy')
    arguments.add_key(parser)
    parser.add_argument('--deep', action='store_true', help='read every file, compare checksums and decode images')
    parser.add_argument('--against', metavar='SRC', help='folder of the plain images; needs --key, implies --deep')
    arguments.add_workers(parser)


def run(args: argparse.Namespace) -> int:
    """Check, and print each problem."""
    from ..handover import verify

    named = arguments.key_path(args)
    if args.against and not named:
        raise UsageError(f'--against needs --key or ${arguments.KEY_VARIABLE}, because SRC is encrypted again')
    if args.against and not os.path.isdir(args.against):
        raise UsageError(f'--against: {args.against} is not a folder')
    key = arguments.key(args)[0] if named else None
    with console.progress('verify', 'image', args.quiet) as progress:
        found = verify(
            args.dst,
            key=key,
            against=args.against,
            deep=args.deep,
            workers=arguments.workers(args),
            progress=progress,
        )
    return _print(args, found)


def _print(args: argparse.Namespace, found: Verification) -> int:
    """Print the result; return the exit code."""
    dst = console.shown(args.dst)
    for name, why in found.problems:
        print(f'{console.shown(name)}: {console.shown(why)}')
    if not found.ok:
        print(f'{dst}: {console.plural(len(found.problems), "problem")} found')
        return 1
    signed = 'signature and ' if found.signed else ''
    checked = f'{signed}checksums are valid' if found.deep else f'{signed}sizes are valid'
    left = [] if found.signed else ['the signature was not checked: that needs --key']
    if not found.deep:
        left.append('images were not read: that needs --deep')
    compared = ', and SRC encrypts to the same images' if found.compared else ''
    print(f'{dst}: OK: {checked}{compared}' + (f' ({"; ".join(left)})' if left else ''))
    return 0
