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

from ..encryption import MasterKey
from ..errors import BusyError, CopyError, RefusedError
from ..files import StrPath, locked, sha256_file, write_atomically
from . import journal, safety
from .layout import MANIFEST, REJECTS, WORK
from .manifest import Manifest, lines
from .parsing import parse_lines
from .results import Outcome, Problem
from .rows import FileRow, Reject, to_json
from .run import CocoHead, Run, check_same_run


def merge(dst: StrPath, *, key: MasterKey | StrPath) -> Outcome:
    """Close a copy whose parts are all finished. Needs no images and little memory.

    Args:
        dst: the copy.
        key: the master key, or the path of its file.

    Returns:
        What all parts encrypted and rejected.

    Raises:
        RefusedError: no parts, parts of different runs, or another key.
        CopyError: parts are missing, unfinished or damaged.
        BusyError: another process closes the copy.
        ManifestError: the copy is closed already, and its manifest is damaged.
    """
    return close_copy(osp.realpath(dst), safety.load_key(key))


def close_copy(dst: str, key: MasterKey) -> Outcome:
    """Close a copy, given by its real path; see :func:`merge`."""
    if osp.isfile(osp.join(dst, MANIFEST)):
        return _closed_before(dst, key)
    if not journal.journals(dst):
        raise RefusedError(f'{dst!r} holds no parts of a run to merge')
    try:
        with locked(osp.join(dst, WORK, 'merge.lock')):
            return _close(dst, key)
    except BusyError:
        raise BusyError(f'another process is closing {dst!r}') from None


def _closed_before(dst: str, key: MasterKey) -> Outcome:
    """Check a copy that is closed already, and remove what a kill after the last step left behind.

    Raises:
        RefusedError: another key.
        ManifestError: a damaged manifest.
    """
    manifest = Manifest(dst)
    _check_key(dst, manifest.key_fingerprint, key)
    manifest.check(key)
    shutil.rmtree(osp.join(dst, WORK), ignore_errors=True)
    return outcome_of(dst, manifest)


def outcome_of(dst: str, manifest: Manifest) -> Outcome:
    """Return what the manifest and the rejects of a closed copy say."""
    rejects, path = [], osp.join(dst, REJECTS)
    if manifest.counts.rejected and osp.isfile(path):
        rejects = [Problem(row.name, row.reason) for row in parse_lines(path, Reject, CopyError)]
    return Outcome(manifest.counts.images, rejects, closed=True)


def _check_key(dst: str, fingerprint: str, key: MasterKey) -> None:
    if fingerprint != key.fingerprint:
        raise RefusedError(f'{dst!r} was encrypted with key {fingerprint!r}, but this key is {key.fingerprint!r}')


def _close(dst: str, key: MasterKey) -> Outcome:
    paths = journal.journals(dst)
    run = _common_run(dst, paths, key)
    out, files, dropped = Outcome(closed=True), list[FileRow](), Counter[str]()
    for line in journal.read_lines(paths):
        out.images += line.row is not None
        dropped.update(line.dropped or {})
        if line.reject is not None:
            out.rejects.append(Problem(*msgspec.structs.astuple(line.reject)))
        if line.shard is not None:
            files.append(line.shard)
    out.dropped = {what: count for what, count in sorted(dropped.items()) if count}
    if out.rejects:
        rejects = (line.reject for line in journal.read_lines(paths) if line.reject is not None)
        files.append(_write(dst, REJECTS, (to_json(row) + b'\n' for row in rejects)))
    for number, about in enumerate(run.annotations):
        files.append(_write(dst, about.name, _coco_text(paths, number, about)))
    rows = (line.row for line in journal.read_lines(paths) if line.row is not None)
    text = lines(_head(run, out, files), rows, key)
    write_atomically(osp.join(dst, MANIFEST), text, osp.join(dst, WORK))
    shutil.rmtree(osp.join(dst, WORK))
    return out


def _head(run: Run, outcome: Outcome, files: list[FileRow]) -> dict[str, Any]:
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
    missing = [str(rank + 1) for rank in range(world) if rank not in finished]
    if missing:
        raise CopyError(f'{dst!r}: these of {world} parts are not finished: {", ".join(missing)}')
    _check_key(dst, runs[0].key_fingerprint, key)
    return runs[0]


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
    """Yield the text of an encrypted COCO file; annotations without an id are numbered from 1."""

    def moved() -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        for line in journal.read_lines(paths):
            for part in line.annotations or ():
                if part.number == number:
                    yield part.image, part.annotations

    yield b'{"images": ['
    yield from _joined(image for image, _ in moved())
    yield b'],\n"annotations": ['
    rows = (row for _, rows in moved() for row in rows)
    yield from _joined({'id': count, **row} for count, row in enumerate(rows, 1))
    yield b'],\n"categories": ' + json.dumps(about.categories).encode() + b'}\n'


def _joined(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    separator = b'\n'
    for row in rows:
        yield separator + json.dumps(row).encode()
        separator = b',\n'
