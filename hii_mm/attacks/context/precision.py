"""Choose the arithmetic of a training. Torch is imported when used."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ...errors import InvalidValueError
from .. import learning

PRECISIONS = ('auto', 'float32', 'bfloat16')


def device() -> str:
    """Return 'cuda' where torch can use a GPU, else 'cpu'."""
    return 'cuda' if learning.torch().cuda.is_available() else 'cpu'


def arithmetic(precision: str) -> Callable[[], AbstractContextManager[Any]]:
    """Return what makes a context in which modules compute in 'float32' or 'bfloat16'.

    Raises:
        InvalidValueError: another precision.
    """
    if precision not in PRECISIONS[1:]:
        raise InvalidValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
    if precision == 'float32':
        return contextlib.nullcontext
    torch = learning.torch()
    return lambda: torch.autocast(device(), torch.bfloat16)


def faster(work: Callable[[AbstractContextManager[Any]], object]) -> str:
    """Return the precision in which some work takes less time: 'float32' or 'bfloat16'.

    Processors without matrix units for bfloat16 take some hundred times longer in it.

    Args:
        work: something small to compute within a context; it is done twice in each.
    """
    clock = time.process_time if device() == 'cpu' else time.perf_counter
    taken = {}
    for precision in PRECISIONS[1:]:
        for _ in range(2):  # the first one warms up
            start = clock()
            work(arithmetic(precision)())
            taken[precision] = clock() - start
    return min(taken, key=lambda precision: taken[precision])
