"""Medians of interleaved runs: what the benchmarks share."""

import statistics
import time


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
