"""Sorting in temporary files, against lists and counters."""

import errno
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hii_mm.handover import sorting
from hii_mm.handover.sorting import Hashes, Sorted

STRINGS = st.lists(st.binary(min_size=1, max_size=3).filter(lambda word: b'\0' not in word).map(lambda w: w + b'\0a'))
NUMBERS = st.lists(st.integers(-8, 8) | st.sampled_from([-(2**63), 2**63 - 1, 1 << 40]))


@pytest.fixture(scope='module', autouse=True)
def small():
    """Make runs and blocks so small that there are many."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dict(_RUN=3, _BLOCK=2, _HASHES=4, _PASS=3).items():
            patch.setattr(sorting, name, value)
        yield


@given(STRINGS, st.booleans())
def test_the_order_is_that_of_a_sorted_list(strings, sorted_before):
    expected = sorted(strings)
    found = Sorted(iter(expected if sorted_before else strings))
    assert len(found) == len(expected)
    assert list(found) == expected
    assert [found[i] for i in range(len(found))] == expected
    assert [found[i] for i in reversed(range(len(found)))] == expected[::-1]
    assert b''.join(found.texts()) == b''.join(word + b'\0\0' for word in expected)
    for number in (-1, len(expected)):
        with pytest.raises(IndexError):
            found[number]
    found.close()


def test_what_is_in_order_is_written_once(monkeypatch):
    merged = []
    monkeypatch.setattr(sorting, '_merged', lambda runs, bounds: merged.append(bounds) or runs)
    Sorted([b'1', b'0', b'2', b'3', b'5', b'4', b'6']).close()
    assert not merged  # each run was sorted, and no two overlap
    Sorted([b'1', b'0', b'3', b'2', b'5', b'4', b'6']).close()
    assert merged == [[0, 2, 4, 5]]


@given(NUMBERS)
def test_numbers_that_occur_twice_are_found(numbers):
    hashes = Hashes()
    for number in numbers:
        hashes.add(number)
    assert hashes.repeated() == {number for number, count in Counter(numbers).items() if count > 1}
    hashes.close()


def test_an_error_of_the_temporary_file_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    real = sorting.os.pread

    def broken(*args):
        raise OSError(errno.EIO, 'Input/output error')

    found = Sorted([b'1', b'2', b'3', b'4'])
    monkeypatch.setattr(sorting.os, 'pread', broken)
    with pytest.raises(OSError, match='choose another folder with TMPDIR') as error:
        list(found)
    assert error.value.errno == errno.EIO
    monkeypatch.setattr(sorting.os, 'pread', real)
    assert list(found) == [b'1', b'2', b'3', b'4']
    assert sys.platform != 'linux' or not list(tmp_path.iterdir())  # the file has no name
    found.close()
