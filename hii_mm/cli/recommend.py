"""``hii-mm recommend``: try settings on photos, and advise one."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from . import arguments, console
from .attack import terminate_as_interrupt

if TYPE_CHECKING:
    from ..recommendation.api import Recommendation

INTERRUPTED = 'no report was written; the same command continues'
NO_ADVICE = 3
MOST_LINES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Encrypt some of PHOTOS at the presets and at a few more settings, attack them, and print what comes back, '
        'what is lost, and the hii-mm encrypt command of a setting that holds; or that none of them holds, and what '
        'to do then. Writes report.html and explore.html, with pictures, to DIR. Exit codes: 0 a setting is advised, '
        '1 nothing could be attacked, 2 wrong usage, 3 no setting is advised, 130 interrupted (the report holds what '
        'ran).'
    )
    parser.add_argument('photos', nargs='+', metavar='PHOTOS', help='your plain photos: a folder, or files')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the report; earlier results are reused')
    parser.add_argument(
        '--minutes', type=arguments.some_minutes, default=10.0, metavar='M', help='stop after this time (10)'
    )
    parser.add_argument(
        '--classes', type=arguments.count, metavar='N', help='number of classes that a classifier will learn'
    )
    parser.add_argument(
        '--boxes',
        metavar='FILE',
        help='COCO file of the photos: boxes and outlines move with the pieces, and attackers use them',
    )
    parser.add_argument(
        '--size', type=arguments.whole, default=224, metavar='S', help='S x S middle of each photo; 0 keeps it (224)'
    )
    parser.add_argument('--jobs', type=arguments.count, metavar='N', help='worker processes (one for each core)')
    parser.add_argument('--seed', type=arguments.whole, default=0, metavar='S', help='random seed (0)')
    arguments.add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Try, and print the table, the advice and the paths of the pages."""
    from ..recommendation.api import recommend

    seconds = 60 * args.minutes
    with terminate_as_interrupt(), console.progress('recommend', 'run', args.quiet, seconds) as progress:
        found = recommend(
            args.photos,
            minutes=args.minutes,
            classes=args.classes,
            boxes=args.boxes,
            size=args.size,
            seed=args.seed,
            jobs=args.jobs,
            out=args.out,
            progress=progress,
            notice=None if args.quiet else lambda text: console.warn(args.command, text),
            about={'command': f'hii-mm {shlex.join(args.words)}'},
        )
    return _print(args, found)


def _print(args: argparse.Namespace, found: Recommendation) -> int:
    """Print what was found; return the exit code."""
    from ..recommendation.words import ALSO

    for line in found.report.skipped[:MOST_LINES]:
        console.warn(args.command, f'left out {line}')
    if len(found.report.skipped) > MOST_LINES:
        console.warn(args.command, f'left out {len(found.report.skipped) - MOST_LINES} more; the report lists all')
    print(console.shown(found.table()))
    for line in found.warnings:
        print(console.shown(f'Note: {line}.'))
    print(console.shown(found.sentence))
    if found.shown is not None:
        print(console.shown(f'See what comes back of the most exposed photo: {Path(args.out) / found.shown}'))
    if found.flags is not None:
        print(console.shown('\n'.join(['Run:', *_commands(args, found.flags)])))
    if found.nearest_flags is not None:
        print(console.shown('\n'.join(_what_now(args, found.nearest_flags))))
    if found.flags is not None or found.nearest_flags is not None:
        print(ALSO)
    pages = ['explore.html'] * found.report.explores + ['report.html']
    print(console.shown('\n'.join(f'All pictures: {Path(args.out) / page}' for page in pages)))
    if found.report.interrupted:
        console.warn(args.command, 'interrupted: the report holds what ran; the same command continues')
        return 130
    return 0 if found.flags is not None else NO_ADVICE


def _commands(args: argparse.Namespace, flags: list[str]) -> list[str]:
    """Return the commands that encrypt with some options, one line each."""
    src = _source(args)
    key = arguments.key_path(argparse.Namespace(key=None))
    words = ['hii-mm', 'encrypt', src, f'{src.rstrip("/")}-encrypted', *([] if key else ['--key', 'owner.key']), *flags]
    words += ['--ann', args.boxes] if args.boxes else []
    make = [] if key or os.path.exists('owner.key') else ['  hii-mm keygen owner.key']
    return [*make, f'  {shlex.join(words)}']


def _what_now(args: argparse.Namespace, flags: list[str]) -> list[str]:
    """Return what an owner can do where no setting holds, in lines."""
    sweep = ['hii-mm', 'attack', _source(args), '--strategy', 'shuffle', '--patch-size', '8', '--gap', '2']
    sweep += ['--sweep', 'noise=16:48:16', '--out', f'{args.out.rstrip("/")}-sweep']
    return [
        'Do not hand them over to somebody who must not see what that picture shows. What you can do:',
        '- leave out the photos that report.html shows as exposed, and try the others again;',
        '- try stronger settings, which cost more accuracy:',
        f'  {shlex.join(sweep)}',
        '- or, if the trainer may see as much as that picture shows, take the nearest setting:',
        *_commands(args, flags),
    ]


def _source(args: argparse.Namespace) -> str:
    """Return the folder that was given, or PHOTOS for several files."""
    return args.photos[0] if len(args.photos) == 1 and os.path.isdir(args.photos[0]) else 'PHOTOS'
