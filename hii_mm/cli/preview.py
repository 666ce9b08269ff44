"""``hii-mm preview``: show images beside their encrypted version."""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import HiiError
from . import arguments, console

SUFFIX = '_preview.png'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write each IMAGE beside its encrypted version to DIR/<name>_preview.png, and the images of a folder to the '
        'same folders below DIR. No file is overwritten: a taken name gets a number. '
        'Each run shuffles anew, without a key. Exit codes: 0 done, 1 an image failed, 2 wrong usage.'
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='an image, or a folder of images')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the previews')
    parser.add_argument(
        '--images', dest='limit', type=arguments.count, default=20, metavar='N', help='the first N of a folder (20)'
    )
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
    out, failed = Path(args.out), 0
    for path, folder in _found(args, out):
        try:
            page = preview(path, scheme)
        except HiiError as error:
            failed += 1
            console.warn(args.command, f'{path}: {error}')
            continue
        folder.mkdir(parents=True, exist_ok=True)
        target = _free(path, folder)
        write_atomically(target, encode(np.asarray(page), '.png'))
        print(console.shown(target))
    return 1 if failed else 0


def _found(args: argparse.Namespace, out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each image, and the folder of its sheet."""
    for given in map(Path, args.images):
        if not given.is_dir():
            yield given, out
            continue
        images = list(_images_below(given, out))
        for path in images[: args.limit]:
            yield path, out / path.parent.relative_to(given)
        if len(images) > args.limit:
            console.warn(args.command, f'{given}: {args.limit} of {len(images)} images; --images N shows more')


def _images_below(folder: Path, out: Path) -> Iterator[Path]:
    """Yield the files below a folder that may be images, in order, without those of ``out``."""
    from ..handover.names import NOT_IMAGES
    from ..handover.sources import scan

    for name, reason in sorted(scan(os.fspath(folder)), key=lambda found: os.path.split(found[0])):
        path = folder / name
        if reason is None and path.suffix.lower() not in NOT_IMAGES and out.resolve() not in path.resolve().parents:
            yield path


def _free(path: Path, folder: Path) -> Path:
    """Return the path of a sheet that does not exist yet."""
    numbered = (f'{path.stem}-{number}' for number in itertools.count(2))
    names = itertools.chain([path.stem, path.name], numbered)
    return next(sheet for name in names if not os.path.lexists(sheet := folder / f'{name}{SUFFIX}'))
