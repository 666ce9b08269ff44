"""``hii-mm manifest merge``: finish a copy that was encrypted in parts."""

from __future__ import annotations

import argparse

from . import arguments, console, rejected
from .encrypt import counts, print_annotations


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write the manifest of the copy DST, once hii-mm encrypt --shard I/N has finished all of its N parts. '
        'Every file is read again and compared with what its part recorded. '
        'Exit codes: 0 done, 1 a part is missing, 2 wrong usage, 3 done, but some files were rejected.'
    )
    parser.add_argument('dst', metavar='DST', help='folder of the copy')
    rejected.add_flag(parser)
    arguments.add_key(parser)
    arguments.add_workers(parser)


def run(args: argparse.Namespace) -> int:
    """Merge, and print what was encrypted."""
    from ..handover import merge

    key = arguments.key(args)[0]
    with console.progress('check', 'file', args.quiet) as progress:
        outcome = merge(args.dst, key=key, workers=arguments.workers(args), progress=progress)
    rejected.show(outcome.rejects, args.list_rejects)
    print_annotations(outcome)
    print('All parts: encrypted' + counts(args.dst, outcome))
    return rejected.EXIT_CODE if outcome.rejects else 0
