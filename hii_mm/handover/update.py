"""Bring a finished copy up to date with its source.

New and changed images are encrypted to a folder beside a journal, within the
working folder of DST; the copy itself stays as it is. Once the new manifest
lies there too, files are moved into place, the manifest last. A kill before
that leaves the old copy, a kill during it leaves a copy that the next update
finishes first.
"""

from __future__ import annotations

import contextlib
import json
import os
import os.path as osp
import shutil
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from ..encryption import MasterKey
from ..errors import CopyError, OtherRunError, RefusedError, RejectedError
from ..files import fsync_folder, fsync_folders, naming, sha256_file, write_atomically
from ..images import read_file
from ..progress import Progress, counted
from .file_checker import FileChecker
from .job import Encrypter, source_digest
from .layout import ANNOTATIONS, MANIFEST, NEXT, REJECTS, UPDATE_JOURNAL, UPDATES, WORK
from .lines import line_of, parse_line
from .listing import Listing
from .manifest import Manifest, lines
from .merge import manifest_head
from .names import Entry
from .notes import notes
from .parsing import parse_lines
from .pool import ordered
from .results import Outcome, Problem, Update
from .rows import FileRow, Reject, Row, to_json
from .run import Run, check_same_run
from .settings import Settings
from .sizes import check_size

_SAME = ('plan_version', 'key_fingerprint', 'dataset_id', 'parameters')


class Step(msgspec.Struct, omit_defaults=True):
    """A line of the journal: one source file.

    Attributes:
        i: number of the file in the listing.
        kept: whether the image of the old copy stays.
        row: of the image.
        reject: why there is none.
    """

    i: int
    kept: bool = False
    row: Row | None = None
    reject: Reject | None = None


class _LogRow(msgspec.Struct, omit_defaults=True):
    """A line of ``updates.jsonl``: the number of the update, and what it replaced, added, changed or did not find."""

    update: int
    replaces: str | None = None
    added: str | None = None
    changed: str | None = None
    removed: str | None = None


Pair = tuple[int, Entry | None, Row | None]


def finish_stopped(dst: str, key: MasterKey) -> None:
    """Finish an update that was stopped while it moved files into place."""
    if osp.isfile(osp.join(dst, WORK, NEXT, MANIFEST)):
        _commit(dst, key)


class Updating:
    """One update. Call :meth:`run` once.

    Args:
        src: the real path of the source folder.
        dst: the real path of the copy.
        settings: of the copy.
        key: the master key.
        run: what the copy is to become.
        listing: the source files.

    Raises:
        RefusedError: a copy that cannot be updated, or was made in another way.
        ManifestError: its manifest is damaged, or made with another key.
        CopyError: its log of updates is damaged.
    """

    def __init__(self, src: str, dst: str, settings: Settings, key: MasterKey, run: Run, listing: Listing) -> None:
        self._src, self._dst, self._settings, self._key = src, dst, settings, key
        self._run, self._listing = run, listing
        self._work, self._next = osp.join(dst, WORK), osp.join(dst, WORK, NEXT)
        self._journal = osp.join(self._work, UPDATE_JOURNAL)
        self._old = Manifest(dst)
        self._check()
        self._replaces = self._old.check(key)

    def _check(self) -> None:
        new = msgspec.to_builtins(self._run)
        try:
            check_same_run(*({name: of.get(name) for name in _SAME} for of in (self._old.head, new)))
        except OtherRunError as error:
            raise OtherRunError(f'{self._dst!r} cannot be updated: {error}') from None
        if any(row.name.startswith(f'{ANNOTATIONS}/') for row in self._old.files):
            raise RefusedError(
                f'{self._dst!r} has annotations, which cannot be updated; encrypt SRC and its annotation files '
                'to a new folder, without --update'
            )
        for row in self._old.files:
            _, _, problem = FileChecker(self._dst)((row, True, 0, ()))
            if row.name == UPDATES and problem is not None:
                raise CopyError(f'{osp.join(self._dst, UPDATES)!r}: {problem}')

    def run(self, workers: int, handle: int, progress: Progress) -> Outcome:
        """Encrypt what is new or changed, and change the copy.

        Args:
            workers: number of processes.
            handle: file descriptor of the lock.
            progress: called after each source file.
        """
        done = self._recover()
        scratch = osp.join(self._work, 'scratch-update')
        shutil.rmtree(scratch, ignore_errors=True)
        os.mkdir(scratch)
        args = (self._src, self._dst, self._next, self._settings, self._key, scratch)
        todo = (pair for pair in self._pairs() if pair[1] is not None and pair[0] >= done)
        with ordered(todo, workers, Updater, args, [handle]) as results, open(self._journal, 'ab') as file:
            for step in counted(results, progress, len(self._listing), done):
                with naming(self._journal):
                    file.write(line_of(to_json(step)))
                    file.flush()
        outcome, files, changed = self._prepare()
        if changed:
            self._write_manifest(outcome, files)
            _commit(self._dst, self._key)
        shutil.rmtree(self._work)
        return outcome

    def _recover(self) -> int:
        """Return how many source files an earlier process finished; begin anew where the source or the copy differs."""
        head = {'update': {'replaces': self._replaces, 'run': msgspec.to_builtins(self._run)}}
        first = line_of(json.dumps(head).encode())
        with contextlib.suppress(FileNotFoundError), open(self._journal, 'r+b') as file:
            if file.readline() == first:
                done, end = 0, len(first)
                for line in file:
                    if not line.endswith(b'\n') or not self._is_complete(line, done):
                        break
                    done, end = done + 1, end + len(line)
                file.truncate(end)
                return done
        shutil.rmtree(self._next, ignore_errors=True)
        os.mkdir(self._next)
        write_atomically(self._journal, first)
        fsync_folder(self._work)
        return 0

    def _is_complete(self, line: bytes, number: int) -> bool:
        """Return whether a line is sound and the next one, and its file exists at its size."""
        try:
            step = parse_line(line, Step, self._journal)
            if step.row is not None:
                check_size(self._dst if step.kept else self._next, step.row)
        except (CopyError, RejectedError, ValueError):
            return False
        return step.i == number

    def _pairs(self) -> Iterator[Pair]:
        """Yield each source file with the row of the old copy, by name; rows without a source file have no entry."""
        rows = self._old.rows(self._key)
        row = next(rows, None)
        for i, entry in enumerate(self._listing):
            if entry.reason is not None:
                yield i, entry, None
                continue
            while row is not None and row.name < entry.name:
                yield -1, None, row
                row = next(rows, None)
            same = row is not None and row.name == entry.name
            yield i, entry, row if same else None
            row = next(rows, None) if same else row
        while row is not None:
            yield -1, None, row
            row = next(rows, None)

    def _results(self) -> Iterator[tuple[Step | None, Row | None]]:
        """Yield what became of each source file, with its old row."""
        with open(self._journal, 'rb') as file:
            file.readline()
            for _, entry, old in self._pairs():
                yield (parse_line(file.readline(), Step, self._journal) if entry else None), old

    def _prepare(self) -> tuple[Outcome, list[FileRow], bool]:
        """Write rejects and the log for the new copy; returns the outcome, their rows, and whether anything changed."""
        update = Update()
        outcome = Outcome(closed=True, notes=notes(self._settings), update=update)
        rejects, log = osp.join(self._next, REJECTS), osp.join(self._next, UPDATES)
        with open(rejects, 'wb') as reject_file, open(log, 'wb') as log_file, naming(self._next):
            number = self._old_log(log_file) + 1
            log_file.write(to_json(_LogRow(number, replaces=self._replaces)) + b'\n')
            for step, old in self._results():
                if step is not None and step.reject is not None:
                    outcome.rejects.append(Problem(self._listing[step.i].file, step.reject.reason))
                    reject_file.write(to_json(step.reject) + b'\n')
                outcome.images += old is not None or (step is not None and step.row is not None)
                row = _count(update, number, step, old)
                if row is not None:
                    log_file.write(to_json(row) + b'\n')
            for file in (reject_file, log_file):
                file.flush()
                os.fsync(file.fileno())
        old_files = {row.name: row.sha256 for row in self._old.files}
        found = {name: sha256_file(osp.join(self._next, name)) for name in (REJECTS, UPDATES)}
        if not outcome.rejects:
            os.unlink(rejects)
            del found[REJECTS]
        same = old_files.get(REJECTS) == found.get(REJECTS, (None,))[0] and self._old.listing == self._run.listing
        changed = update.added or update.changed or update.repaired or not same
        return outcome, [FileRow(name, *about) for name, about in found.items()], bool(changed)

    def _old_log(self, file: BinaryIO) -> int:
        """Copy the log of earlier updates; returns the number of the last one."""
        number, path = 0, osp.join(self._dst, UPDATES)
        if any(row.name == UPDATES for row in self._old.files):
            for row in parse_lines(path, _LogRow, CopyError):
                number = row.update
                file.write(to_json(row) + b'\n')
        return number

    def _write_manifest(self, outcome: Outcome, files: list[FileRow]) -> None:
        """Write the new manifest: from then on the update is finished rather than forgotten."""
        rows = (step.row if step is not None and step.row is not None else old for step, old in self._results())
        text = lines(manifest_head(self._run, outcome, files), (row for row in rows if row is not None), self._key)
        for folder, _, _ in os.walk(self._next):
            fsync_folder(folder)
        write_atomically(osp.join(self._next, MANIFEST), text, self._work)
        fsync_folder(self._next)


def _count(update: Update, number: int, step: Step | None, old: Row | None) -> _LogRow | None:
    """Count what became of an image; returns the line for the log, or None where nothing changed."""
    if step is None:
        assert old is not None
        update.removed.append(old.name)
        return _LogRow(number, removed=old.name)
    if step.row is None:
        return None
    if old is None:
        update.added += 1
        return _LogRow(number, added=step.row.name)
    if step.row == old:
        update.kept += 1
        update.repaired += not step.kept
        return None
    update.changed += 1
    return _LogRow(number, changed=step.row.name)


def _commit(dst: str, key: MasterKey) -> None:
    """Move what an update made into place, the manifest last; can be repeated after a kill.

    Raises:
        CopyError: a folder of the copy is a symbolic link.
    """
    source = osp.join(dst, WORK, NEXT)
    manifest = Manifest(source)
    manifest.check(key)
    for folder, _, names in os.walk(source):
        target = osp.normpath(osp.join(dst, osp.relpath(folder, source)))
        os.makedirs(target, exist_ok=True)
        if osp.realpath(target) != target:
            raise CopyError(f'{target!r} is a symbolic link; remove it: DST must not contain any')
        for name in names:
            if (folder, name) != (source, MANIFEST):
                os.replace(osp.join(folder, name), osp.join(target, name))
    if all(row.name != REJECTS for row in manifest.files):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(osp.join(dst, REJECTS))
    fsync_folders(dst, (row.name for row in manifest.rows(key)))
    os.replace(osp.join(source, MANIFEST), osp.join(dst, MANIFEST))
    fsync_folder(dst)
    shutil.rmtree(source)
    os.unlink(osp.join(dst, WORK, UPDATE_JOURNAL))


class Updater:
    """Encrypts one source file after another if it is new or changed; made once in each process.

    Args:
        src: the real path of the source folder.
        dst: the real path of the copy.
        folder: where new images are written.
        settings: of the copy.
        key: the plans are derived from.
        scratch: folder for unfinished files.
    """

    def __init__(self, src: str, dst: str, folder: str, settings: Settings, key: MasterKey, scratch: str) -> None:
        self._src, self._dst, self._settings, self._key = src, dst, settings, key
        self._encrypt = Encrypter(src, folder, settings, key, scratch, ())

    def __call__(self, item: Pair) -> Step:
        """Handle (number, entry, old row or None)."""
        i, entry, old = item
        assert entry is not None
        if old is not None and self._is_unchanged(entry, old):
            return Step(i, kept=True, row=old)
        line, _ = self._encrypt((i, entry))
        return Step(i, row=line.row, reject=line.reject)

    def _is_unchanged(self, entry: Entry, old: Row) -> bool:
        """Return whether an image of the copy exists and its source is the file that it was made from."""
        try:
            check_size(self._dst, old)
            data = read_file(self._src, entry.file)
        except RejectedError:
            return False
        return source_digest(data, self._settings, self._key, entry.image_id) == old.source


def check_can_update(dst: str, settings: Settings, part: tuple[int, int], annotations: Iterable[object]) -> None:
    """Check that an update is asked for where there can be one.

    Raises:
        RefusedError: there cannot.
    """
    if part != (0, 1):
        raise RefusedError(
            'an update cannot be split into parts; run it without --shard, outside of torchrun and Slurm'
        )
    if any(True for _ in annotations):
        raise RefusedError(
            'a copy with annotations cannot be updated; encrypt SRC and its annotation files to a new folder, '
            'without --update'
        )
    if settings.format == 'shards':
        raise RefusedError(
            'a copy in tar files cannot be updated; encrypt SRC to a new folder without --update, '
            'or the new images alone to a second copy'
        )
    if not osp.isfile(osp.join(dst, MANIFEST)):
        raise RefusedError(f'{dst!r} holds no finished copy to update; run without --update first')
