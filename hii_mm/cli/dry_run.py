"""``hii-mm encrypt --dry-run``: print what a run would do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import arguments, console, rejected

if TYPE_CHECKING:
    from ..encryption import Scheme
    from ..handover.dryrun import DryRun

UNITS = ('bytes', 'kB', 'MB', 'GB', 'TB')


def run(args: argparse.Namespace, scheme: Scheme) -> int:
    """Print what ``hii-mm encrypt`` would do; return the exit code of a run."""
    from ..handover import dry_run
    from ..handover.safety import check_source

    check_source(args.src, args.dst)
    with console.progress('check', 'file', args.quiet) as progress:
        found = dry_run(
            args.src,
            scheme=scheme,
            size=args.size,
            fit=args.fit,
            format=args.format,
            annotations=args.ann,
            rename=args.rename,
            keep_class_names=args.keep_class_names,
            boxes_frame=args.boxes_frame,
            progress=progress,
        )
    rejected.show(found.rejects, args.list_rejects, 'would be rejected')
    for option, value, more in found.remedies:
        print(f'--{option}{"" if value is True else f" {value}"}: {more} more')
    _print(found, arguments.workers(args))
    return rejected.EXIT_CODE if found.rejects else 0


def _print(found: DryRun, workers: int) -> None:
    files = console.plural(len(found.rejects), 'file')
    print(f'Would encrypt {console.plural(found.images, "image")} ({files} rejected); nothing was written')
    if found.smallest is None or found.largest is None:
        return
    (h, w), (high, wide) = found.smallest, found.largest
    print(f'Sizes: {w} x {h} to {wide} x {high} pixels; {found.lost:.1%} of the pixels would be lost for good')
    print(
        f'Files: {_bytes(found.source_bytes)}, encrypted about {_bytes(found.copy_bytes)}; '
        f'time: about {_duration(found.seconds / workers)} with {console.plural(workers, "worker")}, '
        f'measured on {console.plural(found.sample, "image")}'
    )


def _bytes(count: float) -> str:
    """Return such as '1.2 GB'."""
    unit = 0
    while count >= 1000 and unit < len(UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f'{count:.3g} {UNITS[unit]}'


def _duration(seconds: float) -> str:
    """Return such as '5 min'."""
    for limit, length, unit in ((100, 1, 's'), (6000, 60, 'min'), (360000, 3600, 'h')):
        if seconds < limit:
            return f'{max(1, round(seconds / length))} {unit}'
    return f'{round(seconds / 86400)} days'
