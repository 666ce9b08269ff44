"""Check that every file of a copy exists, with its content, before the copy is called complete."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ..encryption import MasterKey
from ..errors import CopyError
from ..progress import Progress
from . import journal
from .file_checker import Checked, FileChecker
from .manifest import Manifest
from .parts import Part
from .pool import ordered
from .rows import FileRow, Row
from .run import Run

NOTE = 'checking files'
_BATCH = 16  # files that are sent to a worker at once


def first_damage(
    dst: str, path: str, run: Run, part: Part, *, unread: int | None, workers: int, progress: Progress
) -> tuple[int, str] | None:
    """Return where a copy stops being what the journal of a part says.

    Args:
        dst: the real path of the copy.
        path: of the journal.
        run: of the journal.
        part: of the journal.
        unread: number of source files whose results are read again and compared
            with their checksums. Of the others the size suffices, as this
            process has just written them. None is all.
        workers: number of processes.
        progress: called after each file, unless none is read.

    Returns:
        The number of the part's source files before the damage, and what is
        wrong; None if the part is complete.

    Raises:
        OSError: a file that cannot be read now.
    """
    order, broken = journal.Order(run, part), list[str]()
    total, items = order.missing, _recorded(path, order, unread, broken)
    with ordered(items, workers if unread != 0 else 1, FileChecker, (dst,), batch=_BATCH) as checked:
        for name, count, problem in checked:
            if problem is not None:
                return count, f'{name!r}: {problem}'
            if unread != 0:
                progress(count, total, NOTE)
    if unread != 0:
        progress(total, total, NOTE)
    return (order.count, broken[0]) if broken else None


def _recorded(path: str, order: journal.Order, unread: int | None, broken: list[str]) -> Iterator[Checked]:
    """Yield the files that a journal names, tar files with the rows of their images; problems go to ``broken``."""
    shard: Checked | None = None
    members: list[Row] = []
    total = order.missing
    try:
        for line in journal.read_lines([path]):
            count, row = order.count, order.check(line)
            if row is None:
                members += [] if line.row is None else [line.row]
                continue
            if shard is not None:
                yield shard
            shard, members = None, []
            deep = unread is None or count < unread
            if line.shard is None:
                yield row, deep, count, ()
            else:
                shard = row, deep, count, members  # which the lines that follow fill
        if order.missing:
            broken.append(f'its journal lacks {order.missing} of {total} files')
    except CopyError as error:
        broken.append(str(error))
    if shard is not None:
        yield (*shard[:3], ()) if broken else shard  # its last rows may be what is missing


def check_closed(dst: str, manifest: Manifest, key: MasterKey, workers: int, progress: Progress) -> None:
    """Check that a copy that is closed still is what its manifest says, every file by its checksum.

    Args:
        dst: the real path of the copy.
        manifest: of the copy.
        key: that signed the manifest.
        workers: number of processes.
        progress: called after each file.

    Raises:
        ManifestError: a damaged manifest.
        CopyError: the first file that is missing or damaged.
        OSError: a file that cannot be read now.
    """
    manifest.check(key)  # before any name in it is used

    def items() -> Iterator[Checked]:
        images = (row for row in manifest.rows(key) if row.shard is None)
        for count, row in enumerate(itertools.chain[FileRow | Row](manifest.files, images), 1):
            yield row, True, count, ()

    total = len(manifest.files) + manifest.counts.images
    with ordered(items(), workers, FileChecker, (dst,), batch=_BATCH) as checked:
        for name, count, problem in checked:
            if problem is not None:
                raise CopyError(
                    f'{dst!r} was finished, but changed since: {name!r}: {problem}; '
                    'hii-mm verify --deep lists all problems'
                )
            progress(count, total, NOTE)
