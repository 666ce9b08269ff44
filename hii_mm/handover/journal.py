"""The progress of a run: one journal for each part, in the working folder of DST.

The first line says what the run does, see :mod:`.run`. One line follows for
each source file of this part, in order; the last line says that the part is
finished. A line that a kill cut short is removed when the run is continued.
"""

from __future__ import annotations

import contextlib
import glob
import heapq
import json
import os
import os.path as osp
import shutil
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from ..errors import BusyError, CopyError, RefusedError
from ..files import fsync_folder, locked, write_atomically
from .layout import MANIFEST, WORK
from .parsing import parse
from .parts import Part
from .rows import Line, to_json
from .run import Run, check_same_run

FINISHED = b'{"finished": true}\n'
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
            self._recover()
        else:
            if not others and set(os.listdir(self.dst)) - {WORK}:
                raise RefusedError(f'{self.dst!r} is not empty and holds no run to continue; choose a new folder')
            write_atomically(self.path, json.dumps({'run': msgspec.to_builtins(run)}).encode() + b'\n')
            fsync_folder(self._work)
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.mkdir(self.scratch)
        self._file = open(self.path, 'ab')  # noqa: SIM115  opened() closes it

    def _recover(self) -> None:
        """Count the lines whose files exist, and remove the rest."""
        with open(self.path, 'r+b') as file:
            end = len(file.readline())
            for line in file:
                if not line.endswith(b'\n') or not self._is_complete(line):
                    break
                end += len(line)
                self.finished = line == FINISHED
                self.done += not self.finished and not _is_of_shard(line)
            file.truncate(end)

    def _is_complete(self, line: bytes) -> bool:
        """Return whether a line is sound and the file it names exists at the recorded size."""
        if line == FINISHED:
            return True
        try:
            entry = parse(line, Line, self.path, CopyError)
            row = entry.shard or entry.row
            if row is None or (entry.row is not None and entry.row.shard is not None):
                return True
            return os.lstat(osp.join(self.dst, row.name)).st_size == row.bytes
        except (CopyError, OSError, ValueError):
            return False

    def cut(self, unit: int) -> None:
        """Keep whole units of source files only, as a tar file's line stands before those of its images."""
        if self.finished or self._file is None:
            return
        self.done -= self.done % unit
        seen, end = 0, 0
        with open(self.path, 'rb') as file:
            for number, line in enumerate(file):
                if number and seen == self.done:
                    break
                seen += number > 0 and not _is_of_shard(line)
                end += len(line)
        os.truncate(self.path, end)

    def add(self, lines: Iterable[Line]) -> None:
        """Append lines, all at once."""
        assert self._file is not None
        lines = list(lines)
        self._file.write(b''.join(to_json(line) + b'\n' for line in lines))
        self._file.flush()
        self.done += sum(line.shard is None for line in lines)

    def finish(self) -> None:
        """Mark this part as finished, and flush to disk."""
        assert self._file is not None
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
            if fresh and len(glob.glob(glob.escape(work) + '/*')) == 1:  # nothing but this lock
                shutil.rmtree(work, ignore_errors=True)
                if new:
                    with contextlib.suppress(OSError):
                        os.rmdir(dst)


def journals(dst: str) -> list[str]:
    """Return the paths of the journals in DST, sorted."""
    return sorted(glob.glob(osp.join(glob.escape(osp.join(dst, WORK)), 'part-*-of-*.jsonl')))


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
    return parse(line, _Head, f'{path!r} is not a journal', CopyError).run


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
                    yield parse(line, Line, f'{path!r}, line {number}', CopyError)

    return heapq.merge(*map(read, paths), key=lambda line: line.i)
