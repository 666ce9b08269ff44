"""Mutate COCO files, manifests, journals, tar files and key files, and run the commands that read them.

    python tools/dev/fuzz.py [--minutes 10]
    python tools/dev/fuzz.py --replay coco:17

Each case runs in a process of its own, with a limit of memory and of time. A
finding is a crash, a hang, an uncaught exception, memory without bound, or a
command that reports success for what is not sound. Each is saved in --out: the
mutated files and the traceback. Needs the base install only. Exit code 1 with findings.
"""

from __future__ import annotations

import argparse
import faulthandler
import itertools
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from fuzz_cases import TARGETS, prepare

MIB = 1 << 20
LARGEST_FILE = 256 * MIB
SAME = 3  # findings of one kind that are saved


def main(argv: list[str] | None = None) -> int:
    """Fuzz for some minutes, or repeat one case; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=10, help='how long (10)')
    parser.add_argument('--cases', type=int, help='stop after this many cases')
    parser.add_argument('--targets', default=','.join(TARGETS), metavar='A,B', help=f'of {", ".join(TARGETS)}')
    parser.add_argument('--first', type=int, default=0, metavar='N', help='number of the first case (0)')
    parser.add_argument('--replay', metavar='TARGET:N', help='run one case in this process')
    parser.add_argument('--memory', type=int, default=512, metavar='MIB', help='more than at the start (512)')
    parser.add_argument('--seconds', type=float, default=30, help='for one case (30)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/fuzz'), metavar='DIR', help='for findings')
    args = parser.parse_args(argv)
    unknown = set(args.targets.split(',')) - TARGETS.keys()
    if unknown:
        parser.error(f'no such targets: {", ".join(sorted(unknown))}')
    quick = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=quick) as scratch:
        seeds = Path(scratch, 'seeds')
        seeds.mkdir()
        prepare(seeds)
        if args.replay:
            target, _, number = args.replay.partition(':')
            run_case(target, int(number), seeds, Path(scratch, 'case'))
            return 0
        return fuzz(args, seeds, Path(scratch, 'case'))


def fuzz(args: argparse.Namespace, seeds: Path, work: Path) -> int:
    """Run cases until the time is over; return the exit code."""
    begun, kinds, cases = time.monotonic(), Counter[str](), 0
    for cases, (target, number) in enumerate(numbered(args.targets.split(','), args.first), 1):
        text = isolated(lambda t=target, n=number: run_case(t, n, seeds, work), args.memory * MIB, args.seconds)
        if text is not None:
            kinds[signature(target, text)] += 1
            if kinds[signature(target, text)] <= SAME:
                save(args.out / f'{target}-{number}', work, text)
                print(f'{target}:{number}: {text.strip().splitlines()[-1]}', flush=True)
        if time.monotonic() - begun > 60 * args.minutes or cases == args.cases:
            break
    seconds = time.monotonic() - begun
    print(f'{cases} cases of {args.targets} in {seconds:.0f} s: {kinds.total()} findings, {len(kinds)} distinct')
    return 1 if kinds else 0


def numbered(targets: list[str], first: int) -> Iterator[tuple[str, int]]:
    """Yield (target, number of the case), the targets in turn."""
    for number in itertools.count(first):
        for target in targets:
            yield target, number


def run_case(target: str, number: int, seeds: Path, work: Path) -> None:
    """Run one case; ``work`` is emptied before."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    TARGETS[target](seeds, work, random.Random(f'{target}:{number}'))


def isolated(job: Callable[[], None], memory: int, seconds: float) -> str | None:
    """Run a job in a forked process; return None, or what went wrong.

    Args:
        job: what to run.
        memory: bytes that it may use on top of those of this process.
        seconds: of real time.
    """
    read, write = os.pipe()
    before = _memory(1)
    child = os.fork()
    if child == 0:
        os.close(read)
        _child(job, write, memory, seconds)
    os.close(write)
    with os.fdopen(read, 'rb') as pipe:
        said = pipe.read().decode(errors='replace')
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return (
            f'no answer after {seconds} s' if number == signal.SIGALRM else f'killed by {signal.Signals(number).name}'
        )
    if said:
        return said
    used = usage.ru_maxrss * 1024 - before
    return f'used {used // MIB} MiB of memory' if used > memory // 2 else None


def _memory(column: int) -> int:
    """Return the address space (column 0) or the resident memory (1) of this process, in bytes."""
    return int(Path('/proc/self/statm').read_text().split()[column]) * resource.getpagesize()


def _child(job: Callable[[], None], pipe: int, memory: int, seconds: float) -> NoReturn:
    """Run the job within limits, and write its traceback into the pipe."""
    faulthandler.disable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    limit = _memory(0) + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        job()
    except BaseException:
        os.write(pipe, traceback.format_exc().encode(errors='replace')[-60000:])
    os._exit(0)


def signature(target: str, text: str) -> str:
    """Return what findings of one kind have in common: where the exception was raised."""
    lines = text.strip().splitlines()
    places = [line.strip() for line in lines if line.lstrip().startswith('File "') and 'hii_mm' in line]
    return f'{target}: {places[-1] if places else ""} {lines[-1].partition(":")[0]}'


def save(folder: Path, work: Path, text: str) -> None:
    """Save a finding: what was mutated, and the traceback."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(work, folder, symlinks=True)
    (folder / 'finding.txt').write_text(text)


if __name__ == '__main__':
    sys.exit(main())
