"""The progress of a run: one journal for each part, in the working folder of DST.

The first line says what the run does, see :mod:`.run`. One line follows for
each source file of this part, in order; the last line says that the part is
finished. A line that a kill cut short is removed when the run is continued.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import os.path as osp
import shutil
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from ..errors import BusyError, CopyError, RefusedError, RejectedError
from ..files import fsync_folder, locked, naming, write_atomically
from .layout import DATASET, MANIFEST, NEXT, UPDATE_JOURNAL, WORK, safe_name
from .layout import journals as journals
from .lines import line_of, parse_line
from .parts import Part, files_of, index_of
from .rows import FileRow, Line, Row, to_json
from .run import Run, check_same_run
from .sizes import check_size

FINISHED = line_of(b'{"finished": true}')
_SHARD = b'"shard"'


class _Head(msgspec.Struct):
    """The first line."""

    run: Run


class Journal:
    """The journal of one part. Made by :func:`opened`.

    Attributes:
        done: number of source files that are finished.
        finished: whether the whole part is.
        scratch: folder for unfinished files.
    """

    def __init__(self, dst: str, part: Part) -> None:
        self.dst = dst
        self._part = part
        rank, self._world = part
        self._work = osp.join(dst, WORK)
        self.path = osp.join(self._work, f'part-{rank:05d}-of-{self._world:05d}.jsonl')
        self.scratch = osp.join(self._work, f'scratch-{rank:05d}')
        self.done, self.finished = 0, False
        self._file: BinaryIO | None = None

    def start(self, run: Run, resume: bool) -> None:
        """Begin the journal, or continue behind its last line.

        Args:
            run: must equal what this journal, and those of other parts, say.
            resume: continue an existing journal.

        Raises:
            RefusedError: it exists and ``resume`` is False, or is of another run.
            CopyError: a journal that cannot be read.
        """
        others = [path for path in journals(self.dst) if path != self.path]
        for path in others:
            if not path.endswith(f'-of-{self._world:05d}.jsonl'):
                raise RefusedError(f'{self.dst!r} is being written in other parts: {osp.basename(path)} exists')
            check_same_run(msgspec.to_builtins(read_run(path)), msgspec.to_builtins(run))
        if osp.exists(self.path):
            if not resume:
                raise RefusedError(f'{self.dst!r} holds an unfinished run; continue it with --resume')
            check_same_run(msgspec.to_builtins(read_run(self.path)), msgspec.to_builtins(run))
            self._recover(run)
        else:
            if not others and set(os.listdir(self.dst)) - {WORK}:
                raise RefusedError(f'{self.dst!r} is not empty and holds no run to continue; choose a new folder')
            write_atomically(self.path, line_of(json.dumps({'run': msgspec.to_builtins(run)}).encode()))
            fsync_folder(self._work)
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.mkdir(self.scratch)
        self._file = open(self.path, 'ab')  # noqa: SIM115  opened() closes it

    def _recover(self, run: Run) -> None:
        """Count the lines that are in order and whose files exist, whole tar files only, and remove the rest."""
        order = Order(run, self._part)
        with open(self.path, 'r+b') as file:
            end = position = len(file.readline())
            for line in file:
                position += len(line)
                if line == FINISHED:
                    self.finished = order.missing == 0
                    end = position if self.finished else end
                    break
                if not self._is_complete(line, order):
                    break
                if order.whole:
                    self.done, end = order.count, position
            file.truncate(end)

    def _is_complete(self, line: bytes, order: Order) -> bool:
        """Return whether a line is sound and in order, and the file it names exists at the recorded size.

        Raises:
            OSError: a file that may exist, but cannot be looked at now.
        """
        try:
            entry = parse_line(line, Line, self.path)
            row = order.check(entry)
            if row is not None:
                check_size(self.dst, row)
        except (CopyError, RejectedError):
            return False
        return True

    def cut(self, done: int) -> None:
        """Keep the first ``done`` source files only."""
        self.done, self.finished = done, False
        seen, end = 0, 0
        with open(self.path, 'rb') as file:
            for number, line in enumerate(file):
                if (number and seen == done) or line == FINISHED:
                    break
                seen += number > 0 and not _is_of_shard(line)
                end += len(line)
        os.truncate(self.path, end)

    def add(self, lines: Iterable[Line]) -> None:
        """Append lines, all at once."""
        assert self._file is not None
        lines = list(lines)
        with naming(self.path):
            self._file.write(b''.join(line_of(to_json(line)) for line in lines))
            self._file.flush()
        self.done += sum(line.shard is None for line in lines)

    def finish(self) -> None:
        """Mark this part as finished, and flush to disk."""
        assert self._file is not None
        with naming(self.path):
            if not self.finished:
                self._file.write(FINISHED)
                self.finished = True
            self._file.flush()
            os.fsync(self._file.fileno())
        shutil.rmtree(self.scratch, ignore_errors=True)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class Order:
    """The order in which a part works: checks one line of its journal after another.

    Args:
        run: of the journal.
        part: of the journal.

    Attributes:
        count: number of source files so far.
        whole: true behind the last image of a tar file, or of the part.
    """

    def __init__(self, run: Run, part: Part) -> None:
        self._unit, self._gap = run.unit, run.unit * (part[1] - 1)
        self._tarred, self._total = run.tarred, files_of(run.files, part, run.unit)
        self._shard: str | None = None
        self.count, self._next, self.whole = 0, index_of(0, part, run.unit), True

    @property
    def missing(self) -> int:
        """Number of source files that are still to come."""
        return self._total - self.count

    def check(self, line: Line) -> FileRow | Row | None:
        """Return the row of the file that a line stands for, or None: it is rejected, or within a tar file.

        Raises:
            CopyError: the line is not the next one of this part.
        """
        if line.i != self._next or self.count >= self._total:
            expected = self._next if self.missing else None
            raise CopyError(f'its journal has file number {line.i} where {expected} belongs')
        row = line.shard or line.row
        if row is not None and not safe_name(row.name):
            raise CopyError(f'its journal names {row.name!r}, which is not a path')
        if line.shard is not None:
            if not self._tarred or self.count % self._unit or self._shard is not None:
                raise CopyError(f'its journal has the tar file {line.shard.name!r} in the wrong place')
            self._shard, self.whole = line.shard.name, False
            return line.shard
        if (line.row is None) == (line.reject is None):
            raise CopyError(f'its journal does not say whether file number {line.i} was encrypted or rejected')
        if line.row is not None and (line.row.shard != self._shard or (line.row.shard is None) == self._tarred):
            raise CopyError(f'its journal has {line.row.name!r} in the tar file {line.row.shard!r}')
        self.count += 1
        self._next += 1
        self.whole = self.count % self._unit == 0 or self.count == self._total
        if self.whole:
            self._next += self._gap  # the next unit is behind those of the other parts
            self._shard = None
        return None if self._tarred else line.row


def _is_of_shard(line: bytes) -> bool:
    """Return whether a line is about a tar file, from its first name."""
    return _SHARD in line[: len(_SHARD) + 2]


@contextlib.contextmanager
def opened(dst: str, part: Part) -> Iterator[tuple[Journal, int]]:
    """Hold the journal of a part under its lock; creates DST and the working folder.

    What was created is removed if nothing was written.

    Yields:
        The journal, and the file descriptor of the lock.

    Raises:
        RefusedError: DST is neither empty nor a copy.
        BusyError: another process writes this part.
    """
    work = osp.join(dst, WORK)
    if osp.islink(work) or (osp.lexists(dst) and not osp.isdir(dst)):
        raise RefusedError(f'{dst!r} is not a folder')
    if osp.isdir(dst) and os.listdir(dst) and not osp.isdir(work) and not osp.exists(osp.join(dst, MANIFEST)):
        raise RefusedError(f'{dst!r} is not empty; choose a new folder')
    new, fresh = not osp.isdir(dst), not osp.isdir(work)
    os.makedirs(work, exist_ok=True)
    journal = Journal(dst, part)
    with contextlib.ExitStack() as stack:
        try:
            handle = stack.enter_context(locked(journal.path.removesuffix('.jsonl') + '.lock'))
        except BusyError:
            raise BusyError(f'another process is writing part {part[0] + 1} of {part[1]} of {dst!r}') from None
        try:
            yield journal, handle
        finally:
            journal.close()
            lock = osp.basename(journal.path).removesuffix('.jsonl') + '.lock'
            if fresh and osp.isdir(work) and not set(os.listdir(work)) - {lock, DATASET}:
                shutil.rmtree(work, ignore_errors=True)
                if new:
                    with contextlib.suppress(OSError):
                        os.rmdir(dst)


def check_no_update(dst: str) -> None:
    """Check that no update of a finished copy was stopped; see :mod:`.update`.

    Raises:
        RefusedError: one was.
    """
    if any(osp.lexists(osp.join(dst, WORK, name)) for name in (UPDATE_JOURNAL, NEXT)):
        raise RefusedError(f'an update of {dst!r} was stopped; continue it with hii-mm encrypt --update')


def read_run(path: str) -> Run:
    """Return the run of a journal.

    Raises:
        CopyError: the journal cannot be read.
    """
    try:
        with open(path, 'rb') as file:
            line = file.readline()
    except OSError as error:
        raise CopyError(f'{path!r} cannot be read: {error.strerror}') from None
    return parse_line(line, _Head, f'{path!r} is not a journal').run


def read_lines(paths: Iterable[str]) -> Iterator[Line]:
    """Yield the lines of journals between the first and the last, in the order of the source files.

    Raises:
        CopyError: a damaged line.
    """

    def read(path: str) -> Iterator[Line]:
        with open(path, 'rb') as file:
            file.readline()
            for number, line in enumerate(file, 2):
                if line != FINISHED:
                    yield parse_line(line, Line, f'{path!r}, line {number}')

    return heapq.merge(*map(read, paths), key=lambda line: line.i)
