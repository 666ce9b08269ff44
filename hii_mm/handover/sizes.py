"""Check that the files of a manifest or a journal exist at their sizes and checksums."""

from __future__ import annotations

import os
import os.path as osp
import stat

from ..errors import RejectedError
from .rows import FileRow, Row

WRONG_SUM = 'its SHA-256 does not match the manifest'


def wrong_size(found: int, expected: int) -> str:
    """Return the problem of a file of another size."""
    return f'it has {found} bytes, but the manifest says {expected}'


def size_of(path: str) -> int:
    """Return the size of a regular file in bytes; a symbolic link is not followed.

    Raises:
        RejectedError: missing, or not a regular file.
        OSError: the disk failed or the like, which says nothing about the file.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise RejectedError('missing') from None
    if not stat.S_ISREG(status.st_mode):
        raise RejectedError('not a regular file')
    return status.st_size


def check_size(folder: str, row: FileRow | Row) -> None:
    """Check that a file below a folder exists at its size.

    Raises:
        RejectedError: missing, not a regular file, or of another size.
        OSError: as :func:`size_of`.
    """
    found = size_of(osp.join(folder, row.name))
    if found != row.bytes:
        raise RejectedError(wrong_size(found, row.bytes))
