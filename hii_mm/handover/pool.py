"""Work spread over processes, with the results in order and little in flight."""

import ctypes
import itertools
import multiprocessing
import os
import signal
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

_state = {}


def _start(make, args, parent, handles):
    """In a worker: build its state; die with the parent, and hold no lock of its."""
    if parent != os.getpid():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for handle in handles:
            os.close(handle)
        if sys.platform == 'linux':
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    _state['work'] = make(*args)


def _batch(items):
    return [_state['work'](item) for item in items]


def ordered(items, workers, make, args, handles=(), batch=4):
    """``make(*args)(item)`` of each item, in order.

    Args:
        items: an iterable; read only as fast as results are taken.
        workers (int): processes; 1 works in this one.
        make: called once a process; gives the function of an item.
        args (tuple): what it is called with.
        handles: file descriptors that workers close.
        batch (int): items sent at once.

    Raises:
        OSError: a process was killed.
    """
    if workers == 1:
        work = make(*args)
        yield from map(work, items)
        return
    items, waiting = iter(items), deque()
    context = multiprocessing.get_context('fork')
    start = (make, args, os.getpid(), handles)
    with ProcessPoolExecutor(workers, context, _start, start) as pool:
        try:
            while True:
                while len(waiting) < 3 * workers and (some := list(itertools.islice(items, batch))):
                    waiting.append(pool.submit(_batch, some))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        except BrokenProcessPool:
            raise OSError(
                f'one of {workers} worker processes was killed, perhaps for want of memory: fewer --workers need less'
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
