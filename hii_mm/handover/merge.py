"""Close a copy: write rejects, annotations and the manifest from the journals."""

from __future__ import annotations

import json
import os
import os.path as osp
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ..encryption import MasterKey, checks
from ..errors import BusyError, CopyError, RefusedError
from ..files import StrPath, fsync_folder, fsync_folders, locked, sha256_file, write_atomically
from ..progress import Progress, silent
from . import journal, safety
from .complete import check_closed, first_damage
from .layout import MANIFEST, REJECTS, WORK
from .manifest import Manifest, lines
from .notes import notes
from .parsing import parse_lines
from .parts import files_of
from .results import Outcome, Problem
from .rows import FileRow, Reject, to_json
from .run import CocoHead, Run, check_same_run
from .settings import Settings


def merge(dst: StrPath, *, key: MasterKey | StrPath, workers: int = 1, progress: Progress = silent) -> Outcome:
    """Close a copy whose parts are all finished.

    Every file of the copy is read again and compared with the checksum that
    its part recorded. If one is missing or damaged nothing is changed.

    Args:
        dst: the copy.
        key: the master key, or the path of its file.
        workers: number of processes.
        progress: called after each file that was checked.

    Returns:
        What all parts encrypted and rejected.

    Raises:
        RefusedError: no parts, parts of different runs, or another key.
        CopyError: parts are missing, unfinished, incomplete or damaged; the message names them.
        BusyError: another process closes the copy.
        ManifestError: the copy is closed already, and its manifest is damaged.
        OSError: a file that cannot be read now.
    """
    workers = checks.whole('workers', workers, 1)
    return close_copy(osp.realpath(dst), safety.load_key(key), workers=workers, progress=progress)


def close_copy(
    dst: str, key: MasterKey, *, unread: int | None = None, workers: int = 1, progress: Progress = silent
) -> Outcome:
    """Close a copy, given by its real path; see :func:`merge`.

    Args:
        dst: the real path of the copy.
        key: the master key.
        unread: of a copy of one part: number of source files whose results are
            read again; the others were written or read by this process. None is all.
        workers: number of processes.
        progress: called after each file that was checked.
    """
    if osp.isfile(osp.join(dst, MANIFEST)):
        return _closed_before(dst, key, workers, progress)
    if not journal.journals(dst):
        raise RefusedError(f'{dst!r} holds no parts of a run to merge')
    try:
        with locked(osp.join(dst, WORK, 'merge.lock')):
            return _close(dst, key, unread, workers, progress)
    except BusyError:
        raise BusyError(f'another process is closing {dst!r}') from None


def _closed_before(dst: str, key: MasterKey, workers: int, progress: Progress) -> Outcome:
    """Check a copy that is closed already, and remove what a kill after the last step left behind.

    Raises:
        RefusedError: another key.
        ManifestError: a damaged manifest.
        CopyError: a file of the copy is missing or damaged.
    """
    manifest = Manifest(dst)
    _check_key(dst, manifest.key_fingerprint, key)
    journal.check_no_update(dst)
    check_closed(dst, manifest, key, workers, progress)
    shutil.rmtree(osp.join(dst, WORK), ignore_errors=True)
    return outcome_of(dst, manifest)


def outcome_of(dst: str, manifest: Manifest) -> Outcome:
    """Return what the manifest and the rejects of a closed copy say."""
    rejects, path = [], osp.join(dst, REJECTS)
    if manifest.counts.rejected and osp.isfile(path):
        rejects = [Problem(row.name, row.reason) for row in parse_lines(path, Reject, CopyError)]
    return Outcome(manifest.counts.images, rejects, notes=notes(manifest.settings), closed=True)


def _check_key(dst: str, fingerprint: str, key: MasterKey) -> None:
    if fingerprint != key.fingerprint:
        raise RefusedError(f'{dst!r} was encrypted with key {fingerprint!r}, but this key is {key.fingerprint!r}')


def _close(dst: str, key: MasterKey, unread: int | None, workers: int, progress: Progress) -> Outcome:
    paths = journal.journals(dst)
    run = _common_run(dst, paths, key)
    _check_complete(dst, paths, run, unread, workers, progress)
    out, files, dropped, turned = Outcome(closed=True), list[FileRow](), Counter[str](), 0
    for line in journal.read_lines(paths):
        out.images += line.row is not None
        dropped.update(line.dropped or {})
        out.add_odd((row.name, row.reason) for row in line.odd or ())
        turned += line.turned
        if line.reject is not None:
            out.rejects.append(Problem(*msgspec.structs.astuple(line.reject)))
        if line.shard is not None:
            files.append(line.shard)
    out.dropped = {what: count for what, count in sorted(dropped.items()) if count}
    out.notes = notes(Settings.from_json(run.parameters), turned)
    if out.rejects:
        rejects = (line.reject for line in journal.read_lines(paths) if line.reject is not None)
        files.append(_write(dst, REJECTS, (to_json(row) + b'\n' for row in rejects)))
    for number, about in enumerate(run.annotations):
        files.append(_write(dst, about.name, _coco_text(paths, number, about)))
    rows = (line.row for line in journal.read_lines(paths) if line.row is not None)
    text = lines(manifest_head(run, out, files), rows, key)
    fsync_folders(dst, (row.name for row in files))
    write_atomically(osp.join(dst, MANIFEST), text, osp.join(dst, WORK))
    fsync_folder(dst)
    fsync_folder(osp.dirname(dst))
    shutil.rmtree(osp.join(dst, WORK))
    return out


def manifest_head(run: Run, outcome: Outcome, files: list[FileRow]) -> dict[str, Any]:
    """Return the head of the manifest."""
    head: dict[str, Any] = msgspec.to_builtins(run)
    del head['annotations'], head['files']
    head['counts'] = {'images': outcome.images, 'rejected': len(outcome.rejects)}
    head['files'] = msgspec.to_builtins(sorted(files, key=lambda row: row.name))
    return head


def _common_run(dst: str, paths: list[str], key: MasterKey) -> Run:
    """Return the run that all parts belong to.

    Raises:
        RefusedError, CopyError: see :func:`merge`.
    """
    world = int(paths[0].removesuffix('.jsonl').rpartition('-')[2])
    runs = [journal.read_run(path) for path in paths]
    for path, run in zip(paths, runs):
        check_same_run(msgspec.to_builtins(runs[0]), msgspec.to_builtins(run))
        if not path.endswith(f'-of-{world:05d}.jsonl'):
            raise RefusedError(f'{dst!r} holds parts of two runs: {osp.basename(paths[0])} and {osp.basename(path)}')
    finished = {int(osp.basename(path).split('-')[1]) for path in paths if _is_finished(path)}
    missing = [rank for rank in range(world) if rank not in finished]
    if missing:
        listed = ', '.join(str(rank + 1) for rank in missing)
        raise CopyError(f'{dst!r}: these of {world} parts are not finished: {listed}; {_again(missing, world)}')
    _check_key(dst, runs[0].key_fingerprint, key)
    return runs[0]


def _check_complete(dst: str, paths: list[str], run: Run, unread: int | None, workers: int, progress: Progress) -> None:
    """Check that each source file is listed once, by the part that it belongs to, and that all files exist.

    Raises:
        CopyError: naming each part that must run again, and why.
    """
    world, before, broken = len(paths), 0, dict[int, str]()
    for rank, path in enumerate(paths):

        def count(done: int, total: int, note: str = '', before: int = before) -> None:
            progress(before + done, run.files, note)

        damage = first_damage(dst, path, run, (rank, world), unread=unread, workers=workers, progress=count)
        if damage is not None:
            broken[rank] = damage[1]
        before += files_of(run.files, (rank, world), run.unit)
    if broken:
        why = '; '.join(f'part {rank + 1} of {world}: {reason}' for rank, reason in broken.items())
        raise CopyError(f'{dst!r} is incomplete, nothing was closed: {why}; {_again(broken, world)}')


def _again(ranks: Iterable[int], world: int) -> str:
    """Return which commands complete a copy."""
    if world == 1:
        return 'run hii-mm encrypt ... --resume again'
    shards = [f'--shard {rank + 1}/{world} --resume' for rank in ranks]
    return f'run hii-mm encrypt ... {", ".join(shards)}, and then merge again'


def _is_finished(path: str) -> bool:
    with open(path, 'rb') as file:
        file.seek(max(0, os.path.getsize(path) - 64))
        return file.read().endswith(journal.FINISHED)


def _write(dst: str, name: str, content: Iterable[bytes]) -> FileRow:
    """Write a file below DST; returns its row for the manifest."""
    path = osp.join(dst, name)
    os.makedirs(osp.dirname(path), exist_ok=True)
    write_atomically(path, content, osp.join(dst, WORK))
    return FileRow(name, *sha256_file(path))


def _coco_text(paths: list[str], number: int, about: CocoHead) -> Iterator[bytes]:
    """Yield the text of an encrypted COCO file.

    Annotations without an id are numbered from 1, and so are objects: the
    ``instance_id`` in a journal counts those of one image.
    """

    def moved() -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        for line in journal.read_lines(paths):
            for part in line.annotations or ():
                if part.number == number:
                    yield part.image, part.annotations

    yield b'{"images": ['
    yield from _joined(image for image, _ in moved())
    yield b'],\n"annotations": ['
    rows = _numbered(rows for _, rows in moved())
    yield from _joined({'id': count, **row} for count, row in enumerate(rows, 1))
    yield b'],\n"categories": ' + json.dumps(about.categories).encode() + b'}\n'


def _numbered(images: Iterable[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the annotations of all images, whose ``instance_id`` now counts the objects of the data set."""
    count = 0
    for rows in images:
        last = None
        for row in rows:
            if 'instance_id' in row:
                count += row['instance_id'] != last
                last = row['instance_id']
                row = {**row, 'instance_id': count}
            yield row


def _joined(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    separator = b'\n'
    for row in rows:
        yield separator + json.dumps(row).encode()
        separator = b',\n'
