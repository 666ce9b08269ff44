"""``hii-mm attack``: attack images and report what was recovered."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ..errors import StackError, UsageError
from . import arguments, console

if TYPE_CHECKING:
    from ..attacks.api import Report
    from ..encryption import MasterKey, Scheme

DEFAULT = ('identity', 'jigsaw', 'context', 'mixup-inverse', 'linkage', 'bag')  # as attacks.api has it
INTERRUPTED = 'no report was written; the same command continues'
MOST_LINES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        'Attack images and write DIR/report.html, DIR/report.json and plots. SOURCE is an encrypted copy (add '
        '--against and --key for figures), or plain photos with --preset, --strategy or --config to try a scheme on '
        'them. '
        'Exit codes: 0 done (the report lists what the budget left out), 1 nothing could be attacked, '
        '2 wrong usage, 130 interrupted (the report holds what ran).'
    )
    parser.add_argument('source', nargs='+', metavar='SOURCE', help='the folder of an encrypted copy, or images')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the report; earlier results are reused')
    parser.add_argument('--attacks', type=arguments.names, metavar='A,B', help=f'attacks to run ({",".join(DEFAULT)})')
    parser.add_argument(
        '--public',
        metavar='PHOTOS',
        help='plain photos from elsewhere, for attacks that use some; they also enlarge the gallery that recovered '
        'pictures must pick their photo from (20 or more with those of the run count in the verdict)',
    )
    parser.add_argument(
        '--annotations',
        metavar='FILE',
        help='COCO file of the plain photos: boxes and outlines move with the patches, and annotations runs too',
    )
    parser.add_argument('--images', type=arguments.count, default=50, metavar='N', help='use the first N images (50)')
    parser.add_argument('--repeats', type=arguments.count, metavar='N', help='encryptions of each photo (1)')
    parser.add_argument(
        '--effort', type=_effort, default=1.0, metavar='E', help='search of the attacks: 0.25, 1 or 4, say (1)'
    )
    parser.add_argument(
        '--jobs', type=arguments.count, metavar='N', help='worker processes (one for each core, if it takes long)'
    )
    parser.add_argument(
        '--size', type=arguments.whole, default=224, metavar='S', help='S x S middle of each photo; 0 keeps it (224)'
    )
    parser.add_argument('--budget', type=arguments.minutes, metavar='MINUTES', help='stop after this time')
    parser.add_argument('--seed', type=arguments.whole, default=0, metavar='S', help='random seed (0)')
    parser.add_argument(
        '--sweep',
        metavar='TEXT',
        help='vary the scheme, and write explore.html with sliders: '
        'gap=0:4,drop=0:0.75,noise=0:32:16,orient,tone,mixup',
    )
    parser.add_argument(
        '--checkpoint', action='append', type=arguments.assignment, default=[], metavar='ATTACK=FILE',
        help='what hii-mm attack-train wrote; may be given several times',
    )  # fmt: skip
    arguments.add_quiet(parser)
    truth = parser.add_argument_group('for an encrypted copy')
    truth.add_argument('--against', metavar='SRC', help='the plain images it was made from, to measure with')
    arguments.add_key(truth, 'the key file, to measure places too')
    scheme = parser.add_argument_group('scheme, for other images')
    scheme.add_argument('--encrypted', action='store_true', help='the images are encrypted already, by this scheme')
    scheme.add_argument('--config', metavar='FILE', help='read the scheme from the pipeline of an mm config')
    arguments.add_scheme(scheme)
    arguments.add_remainder(scheme)


def run(args: argparse.Namespace) -> int:
    """Attack, and print the verdicts and the path of the report."""
    from ..attacks.api import attack

    seconds = math.inf if args.budget is None else 60 * args.budget
    with terminate_as_interrupt(), console.progress('attack', 'run', args.quiet, seconds) as progress:
        report = attack(
            args.source,
            _scheme(args),
            attacks=args.attacks,
            truth=args.against,
            key=_key(args),
            encrypted=args.encrypted,
            public=args.public or (),
            annotations=args.annotations,
            limit=args.images,
            repeats=args.repeats,
            size=args.size,
            budget_minutes=args.budget,
            seed=args.seed,
            sweep=args.sweep,
            effort=args.effort,
            jobs=args.jobs,
            checkpoints=_checkpoints(args.checkpoint),
            out=args.out,
            progress=progress,
            notice=None if args.quiet else lambda text: console.warn(args.command, text),
            about={'command': f'hii-mm {shlex.join(args.words)}'},
        )
    return _print(args, report)


def _effort(text: str) -> float:
    """Return the effort of a flag.

    Raises:
        argparse.ArgumentTypeError: another text than a number from 0 to 100.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f'must be a number from 0 to 100, got {text!r}')
    return value


def _key(args: argparse.Namespace) -> MasterKey | str | None:
    """Return the key to measure with, read if it will be used."""
    if args.against and arguments.key_path(args):
        return arguments.key(args)[0]
    return args.key or None


def _print(args: argparse.Namespace, report: Report) -> int:
    """Print what was found; return the exit code."""
    print(console.shown(report.verdict))
    for scheme, verdicts in report.verdicts.items():
        print(scheme)
        for verdict in verdicts.values():
            print(f'  {verdict}')
    for line in report.skipped[:MOST_LINES]:
        console.warn(args.command, f'left out {line}')
    if len(report.skipped) > MOST_LINES:
        console.warn(args.command, f'left out {len(report.skipped) - MOST_LINES} more; the report lists all')
    if report.explores:
        print(console.shown(Path(args.out) / 'explore.html'))
    print(console.shown(Path(args.out) / 'report.html'))
    if report.interrupted:
        console.warn(args.command, 'interrupted: the report holds what ran; the same command continues')
        return 130
    if not report.ran:
        console.warn(args.command, 'nothing was attacked; see the reasons above')
        return 1
    return 0


def _scheme(args: argparse.Namespace) -> Scheme | None:
    """Return the scheme of the flags or of a config, or None without either.

    Raises:
        UsageError: both of them, or one that is not accepted.
    """
    given = arguments.scheme_flags(args)
    if args.config and given:
        raise UsageError(f'--config and {", ".join(given)} both describe a scheme; leave one out')
    if args.config:
        return _config_scheme(args.config)
    return arguments.scheme(args) if given else None


def _config_scheme(path: str) -> Scheme:
    """Return the scheme of an mm config.

    Raises:
        UsageError: no such file, not a config, one that does not encrypt, or no mm packages.
    """
    from .. import compat
    from ..encryption import Scheme

    if not os.path.isfile(path):
        raise UsageError(f'config not found: {path}')
    try:
        compat.prepare()
    except StackError as error:
        raise UsageError(f'--config needs the mm packages: {error}') from None
    from mmengine.config import Config

    try:
        config = Config.fromfile(path)
    except Exception as error:  # a config is Python code
        raise UsageError(f'config {path!r} cannot be read: {type(error).__name__}: {error}') from None
    return Scheme.from_config(config)


def _checkpoints(given: list[tuple[str, str]]) -> dict[str, str]:
    """Return the checkpoint of each attack.

    Raises:
        UsageError: two for one attack.
    """
    found = dict(given)
    if len(found) < len(given):
        raise UsageError(f'--checkpoint names an attack twice: {", ".join("=".join(pair) for pair in given)}')
    return found


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does, with a report of what ran."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
