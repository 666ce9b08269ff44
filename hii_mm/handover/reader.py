"""Go through the images of a finished copy: files, or members of tar files."""

from __future__ import annotations

import os.path as osp
from collections.abc import Callable, Iterable, Iterator

from ..errors import CopyError, ManifestError, RejectedError
from ..images import MAX_BYTES, read_file
from . import shards
from .layout import safe_name
from .rows import Row
from .settings import Settings
from .sizes import check_size, size_of, wrong_size

Report = Callable[[str, str], object]


def pictures(dst: str, rows: Iterable[Row], settings: Settings, report: Report) -> Iterator[tuple[Row, bytes | None]]:
    """Yield each image: its row, and its content if it comes from a tar file, else None.

    Args:
        dst: the real path of the copy.
        rows: of the manifest.
        settings: of the copy.
        report: called with the name and the problem of what cannot be read.

    Raises:
        ManifestError: a name that leads out of the copy.
    """
    if settings.format == 'shards':
        yield from _from_shards(dst, rows, report)
        return
    for row in rows:
        _check(row.name)
        yield row, None


def _check(name: str | None) -> str:
    if not safe_name(name):
        raise ManifestError(f'the manifest contains {name!r}, which is not a path inside the copy')
    return name


def _from_shards(dst: str, rows: Iterable[Row], report: Report) -> Iterator[tuple[Row, bytes]]:
    """Yield the rows of one tar file after the other, with the content of their members."""
    rows = iter(rows)
    row = next(rows, None)
    while row is not None:
        shard = _check(row.shard)
        _check(row.name)
        try:
            size_of(osp.join(dst, shard))
            for name, size, read in shards.read_members(osp.join(dst, shard)):
                if row is not None and row.shard == shard and name == row.name:
                    if size == row.bytes <= MAX_BYTES:
                        yield row, read()
                    else:
                        report(f'{shard}/{name}', wrong_size(size, row.bytes))
                    row = next(rows, None)
                elif not name.endswith(('.cls', '.json')):
                    report(f'{shard}/{name}', 'not in the manifest, or not in its order')
        except ManifestError:
            raise
        except RejectedError as error:
            report(shard, f'{shard}: {error}')
        except CopyError as error:
            report(shard, str(error))
        while row is not None and row.shard == shard:
            report(f'{shard}/{row.name}', 'missing')
            row = next(rows, None)


def row_bytes(dst: str, row: Row, data: bytes | None) -> bytes:
    """Return the content of an image: that from its tar file, or that of its own file.

    Raises:
        RejectedError: the file is missing, not a regular file, or of another size.
        OSError: it cannot be read.
    """
    if data is not None:
        return data
    check_size(dst, row)
    return read_file(dst, row.name)
