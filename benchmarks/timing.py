"""Medians of interleaved runs, and the memory of a step: what the benchmarks share."""

import statistics
import subprocess
import sys
import time

import torch


def medians(jobs, rounds, warm=2):
    """Median seconds of each job, all measured in turn so that a busy moment hits all alike.

    Args:
        jobs: ``{name: callable}``.
        rounds: measured runs of each.
        warm: runs before, not measured.

    Returns:
        ``{name: seconds}``
    """
    taken = {name: [] for name in jobs}
    for count in range(warm + rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if count >= warm:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def peak(step, device):
    """Bytes that a step allocates at most, beyond what was there before its second run."""
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


def compare(title, kinds, step_of, script, rounds=8):
    """Print a table of time and memory, as ratios to the first kind.

    Args:
        title: of the table.
        kinds: names, the baseline first.
        step_of: callable that makes the step of a kind.
        script: file that prints a kind's peak when called with ``--peak KIND``,
            so that each is measured in a process of its own.
        rounds: measured runs of each.
    """
    times = medians({kind: step_of(kind) for kind in kinds}, rounds)
    command = [sys.executable, '-W', 'ignore', script, '--peak']
    peaks = {kind: int(subprocess.check_output([*command, kind], text=True).split()[-1]) for kind in kinds}
    base = next(iter(kinds))
    print(f'{title:46}{"ms":>8}{"speed":>8}{"MiB":>8}{"memory":>8}')
    for kind in kinds:
        speed, memory = times[base] / times[kind], peaks[kind] / peaks[base]
        print(f'{kind:46}{times[kind] * 1e3:8.0f}{speed:8.3f}{peaks[kind] / 2**20:8.0f}{memory:8.3f}', flush=True)
