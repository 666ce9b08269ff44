"""How a report came about: when, on what machine, from which arguments."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def about(
    mode: str, seed: int, minutes: float | None, interrupted: bool, skipped: Sequence[str], jobs: int
) -> dict[str, Any]:
    """Return how the report came about, for ``report.json``."""
    return {
        'created': time.strftime('%Y-%m-%d %H:%M'),
        'command': 'hii_mm.attack',
        'machine': f'{processor()}, Python {platform.python_version()}',
        'threads': 1 if jobs > 1 else threads(),
        'jobs': jobs,
        'mode': mode,
        'seed': seed,
        'budget_minutes': minutes,
        'interrupted': interrupted,
        'skipped_files': list(skipped),
    }


def processor() -> str:
    """Return the name of the processor as the system states it, else its architecture."""
    with contextlib.suppress(OSError):
        for line in Path('/proc/cpuinfo').read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def threads() -> int:
    """Return how many threads numeric libraries use in this process."""
    stated = os.environ.get('OMP_NUM_THREADS', '')
    return int(stated) if stated.isdigit() and int(stated) else os.cpu_count() or 1
