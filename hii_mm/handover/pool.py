"""Spread work over processes; results keep the order, and few are in flight."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_bool
from typing import Any, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')
_state: dict[str, Any] = {}
_PR_SET_PDEATHSIG = 1


def _start(
    make: Callable[..., Callable[[Any], Any]], args: Sequence[Any], parent: int, handles: Sequence[int], stop: c_bool
) -> None:
    """Initialise a worker: build its state, release the parent's locks, and die with the parent."""
    if parent != os.getpid():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for handle in handles:
            os.close(handle)
        if sys.platform == 'linux':
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    _state.update(work=make(*args), stop=stop)


def _batch(items: list[Any]) -> list[Any]:
    return [_state['work'](item) for item in items if not _state['stop'].value]


@contextlib.contextmanager
def ordered(
    items: Iterable[Item],
    workers: int,
    make: Callable[..., Callable[[Item], Result]],
    args: Sequence[Any],
    handles: Sequence[int] = (),
    batch: int = 4,
) -> Iterator[Iterator[Result]]:
    """Give ``make(*args)(item)`` of each item, in order, inside a ``with`` statement.

    No process works behind the statement's end, however it is left: an error
    or an interrupt waits for one item of each process.

    Args:
        items: read only as fast as results are taken.
        workers: number of processes; 1 works in this one.
        make: called once in each process; returns the function of an item.
        args: arguments of ``make``.
        handles: file descriptors that workers close.
        batch: number of items sent at once.

    Raises:
        OSError: a worker was killed.
    """
    if workers == 1:
        work = make(*args)
        yield map(work, items)
        return
    context = multiprocessing.get_context('fork')
    stop = context.RawValue(c_bool, False)  # without a lock, which a worker that is killed would keep
    pool = ProcessPoolExecutor(workers, context, _start, (make, args, os.getpid(), handles, stop))
    try:
        yield _results(pool, iter(items), workers, batch)
    except BrokenProcessPool:
        raise OSError(
            f'one of {workers} worker processes was killed, perhaps because memory ran out; use fewer workers'
        ) from None
    finally:
        stop.value = True
        pool.shutdown(cancel_futures=True)


def _results(pool: ProcessPoolExecutor, source: Iterator[Any], workers: int, batch: int) -> Iterator[Any]:
    waiting = deque[Future[list[Any]]]()
    while True:
        while len(waiting) < 3 * workers and (some := list(itertools.islice(source, batch))):
            waiting.append(pool.submit(_batch, some))
        if not waiting:
            return
        yield from waiting.popleft().result()
