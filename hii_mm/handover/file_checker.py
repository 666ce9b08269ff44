"""Check files of a copy against their rows, tar files with the images in them."""

from __future__ import annotations

import hashlib
import os.path as osp
from collections.abc import Sequence

from ..errors import CopyError, RejectedError
from ..files import sha256_file
from .rows import FileRow, Row
from .shards import read_members
from .sizes import WRONG_SUM, check_size, wrong_size

# a row, whether its checksum is checked too, its number, and of a tar file the rows of its images
Checked = tuple[FileRow | Row, bool, int, Sequence[Row]]
BESIDE = ('.cls', '.json')  # extensions of what stands beside the images in a tar file


class FileChecker:
    """Checks one file after another; made once in each process by :func:`.pool.ordered`.

    Args:
        folder: the real path of the copy.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __call__(self, item: Checked) -> tuple[str, int, str | None]:
        """Check one file; returns its name and number, and the problem or None."""
        row, deep, number, members = item
        try:
            check_size(self._folder, row)
        except RejectedError as error:
            return row.name, number, str(error)
        path = osp.join(self._folder, row.name)
        if deep and sha256_file(path)[0] != row.sha256:
            return row.name, number, WRONG_SUM
        return row.name, number, _wrong_member(path, members) if deep and members else None


def _wrong_member(path: str, rows: Sequence[Row]) -> str | None:
    """Return what is wrong with the images of a tar file, or None. Labels and annotations have no rows."""
    wanted = {row.name: row for row in rows}
    try:
        for name, size, read in read_members(path):
            row = wanted.pop(name, None)
            if row is None and osp.splitext(name)[1] not in BESIDE:
                return f'{name!r} is not in the journal'
            if row is not None and size != row.bytes:
                return f'{name!r}: {wrong_size(size, row.bytes)}'
            if row is not None and hashlib.sha256(read()).hexdigest() != row.sha256:
                return f'{name!r}: {WRONG_SUM}'
    except CopyError as error:
        return str(error)
    return f'{min(wanted)!r} is missing' if wanted else None
