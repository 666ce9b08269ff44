"""Print rejected files. Shared by ``hii-mm encrypt`` and ``manifest merge``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import console

if TYPE_CHECKING:
    from ..handover import Problem

EXIT_CODE = 3
MOST_KINDS = 20  # kinds of reasons that are printed


def add_flag(parser: argparse._ActionsContainer) -> None:
    """Add ``--list-rejects``."""
    parser.add_argument('--list-rejects', action='store_true', help='name every rejected file, not one of each kind')


def show(rejects: Sequence[Problem], every: bool, word: str = 'rejected') -> None:
    """Print rejected files and the reasons on stderr.

    Args:
        rejects: the files and the reasons.
        every: print each file; otherwise one for each kind of reason.
        word: what happened to them.
    """
    from ..handover.rejects import RejectGroup, grouped

    groups = [RejectGroup(1, *reject) for reject in rejects] if every else grouped(rejects)[:MOST_KINDS]
    for group in groups:
        files = '' if group.count == 1 else f'{group.count} files, such as '
        print(f'{word}: {files}{console.shown(group.name)}: {console.shown(group.reason)}', file=sys.stderr)
    if len(groups) < len(rejects):
        print('--list-rejects names each of them; a finished copy has them in rejects.jsonl', file=sys.stderr)
