"""Work spread over processes: in order, and nothing left behind."""

import multiprocessing
import os
import threading
import time

import pytest

from hii_mm.handover.pool import ordered


def squares():
    return lambda number: number * number


def dying():
    return lambda number: os._exit(1)


class Noting:
    """Note in a file when an item begins and ends; item 1 fails at once."""

    def __init__(self, path):
        self._path = path

    def __call__(self, number):
        if number == 1:
            raise ValueError('item 1')
        self._note('begin')
        time.sleep(0.3)
        self._note('end')
        return number

    def _note(self, word):
        with open(self._path, 'a') as file:
            file.write(f'{word}\n')


@pytest.mark.parametrize('workers', [1, 2])
def test_results_are_in_order_and_nothing_is_left_behind(workers):
    """A thread that is left makes Python print a traceback at its end, now and then."""
    threads = threading.active_count()
    with ordered(range(50), workers, squares, ()) as results:
        assert list(results) == [n * n for n in range(50)]
    assert threading.active_count() == threads
    assert not multiprocessing.active_children()


def test_items_are_read_as_fast_as_results_are_taken():
    taken = []
    with ordered((taken.append(n) or n for n in range(1000)), 2, squares, (), batch=4) as results:
        next(results)
        assert len(taken) <= 6 * 4


@pytest.mark.parametrize('fails', ['item', 'consumer'])
def test_no_process_works_behind_the_end_of_an_error(tmp_path, fails):
    """A run that is started again in this process would find the files of the first one change."""
    path = tmp_path / 'notes'
    with pytest.raises(ValueError, match='item 1|consumer'):  # noqa: SIM117
        with ordered([0, 1, 2, 3] if fails == 'item' else [0, 2, 3, 4, 5], 2, Noting, (path,), batch=1) as results:
            for number in results:
                if fails == 'consumer':
                    raise ValueError(f'consumer of {number}')
    assert not multiprocessing.active_children()
    notes = path.read_text().split()
    assert notes.count('begin') == notes.count('end') >= 1


def test_no_more_than_one_item_a_process_follows_an_error(tmp_path):
    path = tmp_path / 'notes'
    with pytest.raises(ValueError, match='item 1'), ordered([2] * 4 + [1] + [2] * 40, 2, Noting, (path,)) as results:
        list(results)
    assert path.read_text().split().count('begin') <= 4 + 2 * 4


def test_a_killed_worker_is_named():
    with (
        pytest.raises(OSError, match='one of 2 worker processes was killed'),
        ordered(range(8), 2, dying, ()) as results,
    ):
        list(results)
