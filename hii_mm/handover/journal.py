"""What is done so far: one file a part of a run, in the working folder of DST.

The first line says what the run does. Then comes one line for each file of
SRC that this part handles, in order, and last a line that says it is done. A
line that a kill cut short is cut off when the run goes on.
"""

import contextlib
import glob
import heapq
import json
import os
import os.path as osp
import shutil

from .files import Busy, fsync_folder, locked, write_atomically
from .names import MANIFEST, WORK


class Refused(Exception):
    """DST is not in a state to start or go on; nothing was changed. ``code`` is the exit code."""

    def __init__(self, message, code=2):
        super().__init__(message)
        self.code = code


class Journal:
    """The journal of part ``rank`` of ``world``. Use :func:`opened`."""

    def __init__(self, dst, rank, world):
        self.dst, self.rank, self.world = dst, rank, world
        self.work = osp.join(dst, WORK)
        self.path = osp.join(self.work, f'part-{rank:05d}-of-{world:05d}.jsonl')
        self.scratch = osp.join(self.work, f'scratch-{rank:05d}')
        self.done, self.finished, self._file = 0, False, None

    def start(self, run, resume):
        """Begin, or go on where the last line ends.

        Args:
            run (dict): what decides the output; must be what the journal, and
                those of other parts, say.
            resume (bool): go on with a journal that is there.

        Raises:
            Refused: it is there and ``resume`` is False, or another run's.
        """
        others = [path for path in parts(self.dst) if path != self.path]
        for path in others:
            if not path.endswith(f'-of-{self.world:05d}.jsonl'):
                raise Refused(f'{self.dst!r} is being written in other parts: {osp.basename(path)} is there')
            same_run(read_run(path), run)
        if osp.exists(self.path):
            if not resume:
                raise Refused(f'{self.dst!r} holds an unfinished run; go on with it: --resume')
            same_run(read_run(self.path), run)
            self._recover()
        else:
            if not others and set(os.listdir(self.dst)) - {WORK}:
                raise Refused(f'{self.dst!r} is not empty and holds no run to go on with; give a new folder')
            write_atomically(self.path, json.dumps({'run': run}).encode() + b'\n')
            fsync_folder(self.work)
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.mkdir(self.scratch)
        self._file = open(self.path, 'ab')  # noqa: SIM115  opened() closes it

    def _recover(self):
        """Cut off a half line and what is missing on disk; count what stays."""
        with open(self.path, 'r+b') as file:
            end = len(file.readline())
            for line in file:
                if not line.endswith(b'\n') or not self._is_there(json.loads(line)):
                    break
                end += len(line)
                self.finished = b'"finished"' in line[:12]
                self.done += not self.finished and b'"shard"' not in line[:9]
            file.truncate(end)

    def _is_there(self, entry):
        """Is the file that a line tells of there, at its full size?"""
        row = entry.get('row') or entry.get('shard')
        if row is None or 'shard' in row:
            return True
        try:
            return os.lstat(osp.join(self.dst, row['name'])).st_size == row['bytes']
        except OSError:
            return False

    def cut(self, unit):
        """Keep whole units of so many files only: what a tar file needs, whose line stands before its files'."""
        if self.finished or self._file is None:
            return
        self.done -= self.done % unit
        seen, end = 0, 0
        with open(self.path, 'rb') as file:
            for number, line in enumerate(file):
                if number and seen == self.done:
                    break
                seen += number > 0 and b'"shard"' not in line[:9]
                end += len(line)
        os.truncate(self.path, end)

    def add(self, *entries):
        """Append lines, at once."""
        self._file.write(b''.join(json.dumps(entry).encode() + b'\n' for entry in entries))
        self._file.flush()
        self.done += sum('shard' not in entry for entry in entries)

    def finish(self):
        """Say that this part is done, and make that last."""
        if not self.finished:
            self._file.write(b'{"finished": true}\n')
            self.finished = True
        self._file.flush()
        os.fsync(self._file.fileno())
        shutil.rmtree(self.scratch, ignore_errors=True)


@contextlib.contextmanager
def opened(dst, rank, world):
    """The :class:`Journal` of a part, under its lock; makes DST and the working folder.

    Yields:
        tuple: the journal and the lock's handle.

    Raises:
        Refused: DST is not ours, finished, or another process writes this part.
    """
    work = osp.join(dst, WORK)
    if osp.islink(work) or (osp.lexists(dst) and not osp.isdir(dst)):
        raise Refused(f'{dst!r} is no folder')
    if osp.isdir(dst) and os.listdir(dst) and not osp.isdir(work) and not osp.exists(osp.join(dst, MANIFEST)):
        raise Refused(f'{dst!r} is not empty; give a new folder')
    new, fresh = not osp.isdir(dst), not osp.isdir(work)
    os.makedirs(work, exist_ok=True)
    try:
        with locked(osp.join(work, f'part-{rank:05d}-of-{world:05d}.lock')) as handle:
            journal = Journal(dst, rank, world)
            try:
                yield journal, handle
            finally:
                if journal._file:
                    journal._file.close()
                if fresh and len(glob.glob(glob.escape(work) + '/*')) == 1:  # nothing but this lock
                    shutil.rmtree(work, ignore_errors=True)
                    if new:
                        with contextlib.suppress(OSError):
                            os.rmdir(dst)
    except Busy:
        raise Refused(f'{dst!r}: another process is writing part {rank} of {world} here right now', code=1) from None


def parts(dst):
    """The journals in a DST, by name."""
    return sorted(glob.glob(osp.join(glob.escape(osp.join(dst, WORK)), 'part-*-of-*.jsonl')))


def read_run(path):
    """What the run of a journal does.

    Raises:
        Refused: it cannot be read.
    """
    try:
        with open(path, 'rb') as file:
            return json.loads(file.readline())['run']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f'{path!r} is no journal of a run: {error}', code=1) from None


def same_run(old, new):
    """Raise, naming every value that differs.

    Raises:
        Refused: they differ.
    """
    flat_old, flat_new = _flat(old), _flat(new)
    derived = 'parameters.encrypted_patch_size'  # named last: it follows from the others
    for name in sorted(flat_old.keys() | flat_new.keys(), key=lambda name: (name == derived, name)):
        if flat_old.get(name) != flat_new.get(name):
            raise Refused(
                f'DST was begun with {name} = {flat_old.get(name)!r}, and now it is {flat_new.get(name)!r}; '
                'go on with the same, or give a new folder'
            )


def _flat(values, prefix=''):
    out = {}
    for name, value in values.items():
        out.update(_flat(value, f'{prefix}{name}.') if isinstance(value, dict) else {prefix + name: value})
    return out


def entries(paths):
    """Every line of the journals but the first and the last, by the files' order in the run."""

    def read(path):
        with open(path, 'rb') as file:
            file.readline()
            for line in file:
                entry = json.loads(line)
                if 'finished' not in entry:
                    yield entry

    return heapq.merge(*map(read, paths), key=lambda entry: entry['i'])
