"""Sort byte strings, and find repeated numbers, in temporary files: a million of them need no memory.

The files have no names, and are gone when the process ends, however it ends. They
lie in ``$TMPDIR``, or else in /var/tmp or /tmp.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO, cast

import numpy as np

SEPARATOR = b'\0\0'
_RUN = 8_192  # strings that are sorted in memory
_BLOCK = 128  # strings that are read at once
_HASHES = 1 << 16  # that are read and written at once
_PASS = 1 << 18  # hashes that are sorted at once


class Sorted:
    """Byte strings in order.

    Args:
        strings: in any order; none of them is empty, begins or ends with a zero byte, or holds two in a row.

    Raises:
        OSError: the temporary file cannot be written.
    """

    def __init__(self, strings: Iterable[bytes]) -> None:
        runs, strings = _Blocks(), iter(strings)
        bounds, in_order, last = list[int](), True, b''
        while run := sorted(islice(strings, _RUN)):
            bounds.append(runs.count)
            in_order, last = in_order and last <= run[0], run[-1]
            runs.write(run)
        self._blocks = runs if in_order else _merged(runs, [*bounds, runs.count])

    def close(self) -> None:
        """Remove the temporary file."""
        self._blocks.close()

    def __len__(self) -> int:
        """Return the number of strings."""
        return self._blocks.length

    def __getitem__(self, number: int) -> bytes:
        """Return a string, by its number from 0."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._blocks.find(number)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the strings in order."""
        return self._blocks.read(0, self._blocks.count)

    def texts(self) -> Iterator[bytes]:
        """Yield parts of one long text: the strings in order, each with :data:`SEPARATOR` behind it."""
        for number in range(self._blocks.count):
            yield self._blocks.text(number) + SEPARATOR


class _Blocks:
    """Blocks of strings in a temporary file.

    Attributes:
        count: of blocks.
        length: number of strings.
    """

    def __init__(self) -> None:
        self._file = _temporary()
        self._offsets, self._starts = array('Q', [0]), array('Q')
        self._cached, self._strings = -1, list[bytes]()
        self.count = self.length = 0

    def close(self) -> None:
        self._file.close()

    def write(self, strings: Iterable[bytes]) -> None:
        """Append blocks of strings."""
        strings = iter(strings)
        with _advising():
            while block := list(islice(strings, _BLOCK)):
                size = self._file.write(SEPARATOR.join(block))
                self._offsets.append(self._offsets[-1] + size)
                self._starts.append(self.length)
                self.length += len(block)
                self.count += 1

    def text(self, number: int) -> bytes:
        """Return the strings of a block with :data:`SEPARATOR` between them."""
        start, end = self._offsets[number : number + 2]
        with _advising():
            self._file.flush()
            return os.pread(self._file.fileno(), end - start, start)

    def read(self, first: int, end: int) -> Iterator[bytes]:
        """Yield the strings of the blocks from one to another."""
        for number in range(first, end):
            yield from self.text(number).split(SEPARATOR)

    def find(self, number: int) -> bytes:
        """Return a string by its number; of one block after another each is read once."""
        block = bisect_right(self._starts, number) - 1
        if block != self._cached:
            self._cached, self._strings = block, self.text(block).split(SEPARATOR)
        return self._strings[number - self._starts[block]]


def _merged(runs: _Blocks, bounds: list[int]) -> _Blocks:
    """Return the strings of runs, which are in order between two bounds each, in one order; closes ``runs``."""
    with contextlib.closing(runs):
        out = _Blocks()
        out.write(heapq.merge(*(runs.read(first, end) for first, end in zip(bounds, bounds[1:]))))
        return out


class Hashes:
    """Finds the numbers that were added twice."""

    def __init__(self) -> None:
        self._file, self._new, self._count = _temporary(), array('q'), 0

    def add(self, number: int) -> None:
        """Add a number of 64 bits, signed."""
        self._new.append(number)
        if len(self._new) == _HASHES:
            self._write()

    def _write(self) -> None:
        with _advising():
            self._file.write(self._new.tobytes())
        self._count += len(self._new)
        del self._new[:]

    def repeated(self) -> set[int]:
        """Return the numbers that were added more than once."""
        self._write()
        found, passes = set[int](), self._count // _PASS + 1
        for number in range(passes):
            some = np.sort(np.concatenate([part[part % passes == number] for part in self._parts()]))
            found.update(some[1:][some[1:] == some[:-1]].tolist())
        return found

    def _parts(self) -> Iterator[np.ndarray]:
        """Yield all numbers, many at once."""
        self._file.seek(0)
        while part := self._file.read(8 * _HASHES):
            yield np.frombuffer(part, np.int64)
        yield np.empty(0, np.int64)

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()


def _temporary() -> BinaryIO:
    """Return a file without a name."""
    folder = None if os.environ.get('TMPDIR') or not os.access('/var/tmp', os.W_OK | os.X_OK) else '/var/tmp'
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))


@contextlib.contextmanager
def _advising() -> Iterator[None]:
    """Say in errors of the temporary file, which has no name, what they are about.

    Raises:
        OSError: with what can be done.
    """
    try:
        yield
    except OSError as error:
        text = f'{error.strerror}; choose another folder with TMPDIR'
        raise OSError(error.errno, text, 'temporary file of the listing') from None
