"""``hii-mm mm``: run a tool of mmdet, mmpretrain or hii_mm, also where mmcv has no compiled ops.

mmdet's tools import mmcv's compiled ops in their first lines, before a config
can import hii_mm, so the installed stack is prepared first.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Run a tool that mmdet, mmpretrain or hii_mm installs, or any Python file, with the names of hii_mm registered '
        'and with a stand-in for the compiled ops that mmcv lacks. An argument PACKAGE::FOLDER/CONFIG.py becomes the '
        'path of that installed config. Exit codes: that of the tool; 2 no such tool or config.'
    )
    parser.add_argument(
        'tool', metavar='TOOL', help='PACKAGE/NAME, such as mmdet/test or mmpretrain/get_flops, or a Python file'
    )
    rest = parser.add_argument('args', metavar='ARGS', nargs=argparse.REMAINDER, help='the arguments of the tool')
    rest.required = False  # or the parser misses it where TOOL is missing


def run(args: argparse.Namespace) -> int:
    """Run the tool; an error of its own is shown as Python shows it."""
    from ..shipped import find_tool

    try:
        run_tool(find_tool(args.tool), args.args)
    except BrokenPipeError:
        raise
    except OSError:
        traceback.print_exc()
        return 1
    return 0


def run_tool(path: Path, words: Sequence[str]) -> None:
    """Run a tool as ``python PATH WORDS`` would, with mmcv usable and the names of hii_mm registered.

    The tools of hii_mm do that themselves where they need it.

    Args:
        path: of the tool.
        words: its arguments; those that name a config, see :func:`.shipped.find_config`.

    Raises:
        StackError: no usable set of mm packages is installed.
        SystemExit: from the tool; so does any other error.
    """
    from ..shipped import find_config, shipped

    argv = [str(path), *map(find_config, words)]
    ours = shipped('hii_mm', 'tools')
    if ours is None or ours.resolve() not in path.resolve().parents:
        from .. import compat

        compat.prepare()
        from .. import register  # noqa: F401
    before = sys.argv, sys.path
    sys.argv, sys.path = argv, [str(path.resolve().parent), *sys.path]
    try:
        runpy.run_path(str(path), run_name='__main__')
    finally:
        sys.argv, sys.path = before
