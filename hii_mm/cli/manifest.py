"""``hii-mm manifest merge``: finish a copy that was encrypted in parts."""

from __future__ import annotations

import argparse

from . import arguments
from .encrypt import REJECTED, counts, print_rejects


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write the manifest of the copy DST, once hii-mm encrypt --shard I/N has finished all of its N parts. '
        'Exit codes: 0 done, 1 a part is missing, 2 wrong usage, 3 done, but some files were rejected.'
    )
    parser.add_argument('dst', metavar='DST', help='folder of the copy')
    arguments.add_key(parser)


def run(args: argparse.Namespace) -> int:
    """Merge, and print what was encrypted."""
    from ..handover import merge

    outcome = merge(args.dst, key=arguments.key(args)[0])
    print_rejects(outcome)
    print('All parts: encrypted' + counts(args.dst, outcome))
    return REJECTED if outcome.rejects else 0
