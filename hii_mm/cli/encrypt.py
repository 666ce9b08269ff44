"""``hii-mm encrypt``: write an encrypted copy of a data set."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from . import arguments, console

if TYPE_CHECKING:
    from ..handover import Outcome

REJECTED = 3
INTERRUPTED = 'run the same command with --resume to continue'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Write an encrypted copy of the image folder SRC to DST, or of the images that COCO json files name (--ann). '
        'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but some files were rejected.'
    )
    parser.add_argument('src', metavar='SRC', help='folder of the plain images')
    parser.add_argument('dst', metavar='DST', help='folder of the copy')
    arguments.add_key(parser)
    arguments.add_scheme(parser.add_argument_group('scheme'))
    images = parser.add_argument_group('images and files')
    images.add_argument(
        '--size', type=arguments.size, metavar='WxH|short:N', help='first bring each image to this size, in pixels'
    )
    images.add_argument(
        '--fit',
        choices=arguments.FITS,
        help='how an image is brought to --size, or to a multiple of the patch size (crop with --size)',
    )
    images.add_argument('--format', default='png', choices=arguments.FORMATS, help='format of the copy (png)')
    images.add_argument(
        '--shard-size', type=arguments.count, default=1000, metavar='N', help='images in each tar file of shards (1000)'
    )
    images.add_argument(
        '--ann', action='append', default=[], metavar='FILE[=FOLDER]',
        help='COCO json with file names relative to SRC, or to SRC/FOLDER; may be given several times',
    )  # fmt: skip
    images.add_argument(
        '--rename', action='store_true', help='replace file names by pseudonyms, listed in KEYFILE.names.jsonl'
    )
    running = parser.add_argument_group('running')
    running.add_argument('--resume', action='store_true', help='continue a run that was interrupted')
    running.add_argument(
        '--shard', type=arguments.part, metavar='I/N',
        help='encrypt part I of N (default: from torchrun or Slurm); then run hii-mm manifest merge DST',
    )  # fmt: skip
    arguments.add_workers(running)


def run(args: argparse.Namespace) -> int:
    """Encrypt, and print what was encrypted, rejected and left out."""
    from ..handover import encrypt
    from ..handover.parts import part_of
    from ..handover.safety import check_key_place, name_map_of

    scheme = arguments.scheme(args)
    key, path = arguments.key(args)
    check_key_place(path, args.src, args.dst)
    with console.progress('encrypt', 'image', args.quiet) as progress:
        outcome = encrypt(
            args.src,
            args.dst,
            key=key,
            scheme=scheme,
            size=args.size,
            fit=args.fit,
            format=args.format,
            shard_size=args.shard_size,
            annotations=args.ann,
            rename=args.rename,
            name_map=name_map_of(path) if args.rename else None,
            part=args.shard or part_of(os.environ),
            resume=args.resume,
            workers=arguments.workers(args),
            progress=progress,
        )
    return _print(args, outcome)


def _print(args: argparse.Namespace, outcome: Outcome) -> int:
    """Print the outcome; return the exit code."""
    if args.format == 'jpeg':
        console.warn(args.command, 'JPEG changes pixels slightly: the copy cannot be decrypted bit for bit')
    print_rejects(outcome)
    for what, number in sorted(outcome.dropped.items()):
        if number:
            print(f'left out: {console.shown(what)}: {number}')
    index, parts = outcome.part
    print((f'Part {index + 1} of {parts}: encrypted' if parts > 1 else 'Encrypted') + counts(args.dst, outcome))
    if not outcome.images:
        console.warn(args.command, 'no image was encrypted; see the reasons above')
    if not outcome.closed:
        print(f'When all parts are done, run: hii-mm manifest merge {console.shown(args.dst)} --key KEYFILE')
    return REJECTED if outcome.rejects else 0


def print_rejects(outcome: Outcome) -> None:
    """Print the rejected files and the reasons on stderr."""
    for name, why in outcome.rejects:
        print(f'rejected: {console.shown(name)}: {console.shown(why)}', file=sys.stderr)


def counts(dst: str, outcome: Outcome) -> str:
    """Return ' 24 images to DST (1 file rejected)'."""
    rejected = console.plural(len(outcome.rejects), 'file')
    return f' {console.plural(outcome.images, "image")} to {console.shown(dst)} ({rejected} rejected)'
