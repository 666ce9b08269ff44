"""Measure medians of interleaved runs, and the memory of a step."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from typing import Any

import torch

Job = Callable[[], Any]


def medians(jobs: dict[str, Job], rounds: int, warm: int = 2) -> dict[str, float]:
    """Return the median seconds of each job; jobs alternate, so that other load affects all alike.

    Args:
        jobs: by name.
        rounds: measured runs of each.
        warm: runs before, not measured.
    """
    return {name: statistics.median(times) for name, times in timed(jobs, rounds, warm).items()}


def timed(jobs: dict[str, Job], rounds: int, warm: int = 2) -> dict[str, list[float]]:
    """Return the seconds of each run of each job, see :func:`medians`."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for count in range(warm + rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if count >= warm:
                taken[name].append(time.perf_counter() - start)
    return taken


def peak(step: Job, device: str) -> int:
    """Return the largest number of bytes that a step adds to what is allocated before its second run."""
    step()
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(profile_memory=True) as record:
        step()
    now = most = 0
    events = [event for event in record.profiler.kineto_results.events() if event.name() == '[memory]']
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def compare(
    title: str, kinds: Collection[str], step_of: Callable[[str], Job], script: str, rounds: int = 8
) -> list[dict[str, Any]]:
    """Print a table of time and memory, as ratios to the first kind.

    Args:
        title: of the table.
        kinds: names, the baseline first.
        step_of: returns the step of a kind.
        script: prints the peak of a kind when called with ``--peak KIND``, so
            that each is measured in a process of its own.
        rounds: measured runs of each.

    Returns:
        One dict for each kind, as docs/data/models.json holds them.
    """
    times = medians({kind: step_of(kind) for kind in kinds}, rounds)
    command = [sys.executable, '-W', 'ignore', script, '--peak']
    peaks = {kind: int(subprocess.check_output([*command, kind], text=True).split()[-1]) for kind in kinds}
    base = next(iter(kinds))
    print(f'{title:46}{"ms":>8}{"speed":>8}{"MiB":>8}{"memory":>8}')
    rows = []
    for kind in kinds:
        speed, memory = times[base] / times[kind], peaks[kind] / peaks[base]
        milliseconds, mebibytes = times[kind] * 1e3, peaks[kind] / 2**20
        print(f'{kind:46}{milliseconds:8.0f}{speed:8.3f}{mebibytes:8.0f}{memory:8.3f}', flush=True)
        figures = {'ms': milliseconds, 'speed': speed, 'mebibytes': mebibytes, 'memory': memory}
        rows.append({'step': title, 'model': kind, **{name: round(value, 4) for name, value in figures.items()}})
    return rows
