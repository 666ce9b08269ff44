"""``hii-mm encrypt``: write an encrypted copy of a data set."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import count
from shlex import join, quote
from textwrap import indent
from typing import TYPE_CHECKING

from ..errors import UsageError
from . import arguments, console, dry_run, rejected

if TYPE_CHECKING:
    from ..encryption import MasterKey, Scheme
    from ..handover import Outcome, Update

MOST_ODD = 20  # malformed annotations that are printed
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
    arguments.add_scheme(parser.add_argument_group('scheme', 'One of these is needed: a preset, or options.'))
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
        '--boxes-frame', default='upright', choices=arguments.FRAMES,
        help='what the boxes of --ann refer to where an image has an EXIF orientation: the upright image, '
        'or the raw pixels as they are stored (upright)',
    )  # fmt: skip
    images.add_argument(
        '--rename',
        action='store_true',
        help='replace the names of files and folders by pseudonyms, listed in KEYFILE.names.jsonl',
    )
    images.add_argument(
        '--keep-class-names',
        action='store_true',
        help='with --rename: leave the first folder of each path, the class, readable',
    )
    images.add_argument(
        '--dataset-id',
        metavar='HEX',
        help='32 hex digits instead of a random id of the data set, to repeat a copy exactly',
    )
    running = parser.add_argument_group('running')
    running.add_argument(
        '--dry-run', action='store_true', help='write nothing; say what would be encrypted and rejected, and how long'
    )
    rejected.add_flag(running)
    running.add_argument('--resume', action='store_true', help='continue a run that was interrupted')
    running.add_argument(
        '--update',
        action='store_true',
        help='add new and changed images to a finished copy, and report those that SRC no longer has',
    )
    running.add_argument(
        '--shard', type=arguments.part, metavar='I/N',
        help='encrypt part I of N (default: from torchrun or Slurm); then run hii-mm manifest merge DST',
    )  # fmt: skip
    arguments.add_workers(running)


def run(args: argparse.Namespace) -> int:
    """Encrypt, and print what was encrypted, rejected and left out."""
    from ..errors import OtherRunError
    from ..handover.safety import check_key_place

    scheme = _scheme(args)
    _warn(args, scheme)
    if args.dry_run:
        return dry_run.run(args, scheme)
    key, path = arguments.key(args)
    check_key_place(path, args.src, args.dst)
    try:
        return _print(args, _encrypt(args, scheme, key, path))
    except OtherRunError as error:
        raise OtherRunError(f'{error}\n{_advice(args)}') from None


def _scheme(args: argparse.Namespace) -> Scheme:
    """Return the scheme that was chosen.

    Raises:
        UsageError: none was chosen; the message lists the presets and the options.
    """
    if arguments.scheme_flags(args):
        return arguments.scheme(args)
    from ..presets import PAGE, table

    raise UsageError(
        'choose how to encrypt; nothing is chosen for you\n'
        f'Presets, as --preset NAME:\n{indent(table(), "  ")}\n'
        'Or options: --strategy shuffle|mixup|both, --patch-size P, --gap N, --drop-ratio R, --orient, --window N, '
        '--tone, --noise N, --grid G\n'
        'Try them on your own pictures first:\n'
        f'  hii-mm recommend {quote(args.src)} --out report\n'
        f'  hii-mm attack {quote(args.src)} --preset strong --out report\n'
        f'More figures: {PAGE}'
    )


def _warn(args: argparse.Namespace, scheme: Scheme) -> None:
    """Print one line if a measured attack recovers much of what the scheme hides."""
    from ..presets import warning

    text = warning(scheme)
    if text is not None:
        console.warn(args.command, f'warning: {text}')


def _advice(args: argparse.Namespace) -> str:
    """Return the command that encrypts with these settings: to a new folder."""
    dst = args.dst.rstrip('/')
    free = next(name for number in count(2) if not os.path.lexists(name := f'{dst}-{number}'))
    words = [free if word == args.dst else word for word in args.words if not word.startswith(('--res', '--upd'))]
    return f'All images of a copy, rejected ones too, have the same settings. This works:\n  hii-mm {join(words)}'


def _encrypt(args: argparse.Namespace, scheme: Scheme, key: MasterKey, path: str) -> Outcome:
    """Call the library."""
    from ..handover import encrypt
    from ..handover.parts import part_of
    from ..handover.safety import name_map_of

    with console.progress('encrypt', 'image', args.quiet) as progress:
        return encrypt(
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
            keep_class_names=args.keep_class_names,
            boxes_frame=args.boxes_frame,
            dataset_id=args.dataset_id,
            part=args.shard or part_of(os.environ),
            resume=args.resume,
            update=args.update,
            workers=arguments.workers(args),
            progress=progress,
        )


def _print(args: argparse.Namespace, outcome: Outcome) -> int:
    """Print the outcome; return the exit code."""
    if args.format == 'jpeg':
        console.warn(args.command, 'JPEG changes pixels slightly: the copy cannot be decrypted bit for bit')
    rejected.show(outcome.rejects, args.list_rejects)
    for what, number in sorted(outcome.dropped.items()):
        if number:
            print(f'left out: {console.shown(what)}: {number}')
    print_annotations(outcome)
    index, parts = outcome.part
    if outcome.update is not None:
        _print_update(args.dst, outcome.update)
    print((f'Part {index + 1} of {parts}: encrypted' if parts > 1 else 'Encrypted') + counts(args.dst, outcome))
    if not outcome.images:
        console.warn(args.command, 'no image was encrypted; see the reasons above')
    if not outcome.closed:
        print(f'When all parts are done, run: hii-mm manifest merge {console.shown(args.dst)} --key KEYFILE')
    return rejected.EXIT_CODE if outcome.rejects else 0


def _print_update(dst: str, update: Update) -> None:
    """Print what an update did; the names of images whose source is gone on stderr."""
    for name in update.removed:
        print(f'SRC no longer has: {console.shown(name)}', file=sys.stderr)
    print(
        f'Updated {console.shown(dst)}: {update.added} added, {update.changed} changed, {update.kept} kept, '
        f'{len(update.removed)} no longer in SRC (they stay in the copy)'
    )


def print_annotations(outcome: Outcome) -> None:
    """Print malformed annotations on stderr, and the notes about the copy."""
    for name, reason in outcome.odd[:MOST_ODD]:
        print(f'{console.shown(name)}: {console.shown(reason)}', file=sys.stderr)
    if len(outcome.odd) > MOST_ODD:
        more = len(outcome.odd) - MOST_ODD
        print(f'and {more} more annotations; see the counts of what was left out', file=sys.stderr)
    for note in outcome.notes:
        print(f'note: {console.shown(note)}')


def counts(dst: str, outcome: Outcome) -> str:
    """Return ' 24 images to DST (1 file rejected)'."""
    files = console.plural(len(outcome.rejects), 'file')
    return f' {console.plural(outcome.images, "image")} to {console.shown(dst)} ({files} rejected)'
