"""Work spread over processes: in order, and nothing left behind."""

import multiprocessing
import os
import threading

import pytest

from hii_mm.handover.pool import ordered


def squares():
    return lambda number: number * number


def dying():
    return lambda number: os._exit(1)


@pytest.mark.parametrize('workers', [1, 2])
def test_results_are_in_order_and_nothing_is_left_behind(workers):
    """A thread that is left makes Python print a traceback at its end, now and then."""
    threads = threading.active_count()
    assert list(ordered(range(50), workers, squares, ())) == [n * n for n in range(50)]
    assert threading.active_count() == threads
    assert not multiprocessing.active_children()


def test_items_are_read_as_fast_as_results_are_taken():
    taken = []
    results = ordered((taken.append(n) or n for n in range(1000)), 2, squares, (), batch=4)
    next(results)
    assert len(taken) <= 6 * 4
    results.close()


def test_a_killed_worker_is_named():
    with pytest.raises(OSError, match='one of 2 worker processes was killed'):
        list(ordered(range(8), 2, dying, ()))
