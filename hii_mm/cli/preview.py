"""``hii-mm preview``: show images beside their encrypted version."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from ..errors import HiiError
from . import arguments, console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write each IMAGE beside its encrypted version to DIR/<name>_preview.png. '
        'Each run shuffles anew, without a key. Exit codes: 0 done, 1 an image failed, 2 wrong usage.'
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the previews')
    arguments.add_scheme(parser.add_argument_group('scheme'))
    arguments.add_remainder(parser)


def run(args: argparse.Namespace) -> int:
    """Write the sheets, and name the images that failed."""
    import numpy as np

    from ..files import check_writable, write_atomically
    from ..handover.safety import check_outside_copy
    from ..images import encode
    from ..preview import preview

    scheme = arguments.scheme(args)
    check_outside_copy(args.out, '--out')
    check_writable(args.out, '--out')
    out, failed, taken = Path(args.out), 0, set[str]()
    for path in map(Path, args.images):
        try:
            page = preview(path, scheme)
        except HiiError as error:
            failed += 1
            console.warn(args.command, f'{path}: {error}')
            continue
        out.mkdir(parents=True, exist_ok=True)
        target = out / f'{_free(path, taken)}_preview.png'
        write_atomically(target, encode(np.asarray(page), '.png'))
        print(console.shown(target))
    return 1 if failed else 0


def _free(path: Path, taken: set[str]) -> str:
    """Return a name that no earlier image has, and take it."""
    numbered = (f'{path.stem}-{number}' for number in itertools.count(2))
    name = next(name for name in itertools.chain([path.stem, path.name], numbered) if name not in taken)
    taken.add(name)
    return name
