"""Atomic writes, checksums and file locks."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import BusyError, UsageError

StrPath = str | os.PathLike[str]


@contextlib.contextmanager
def locked(path: StrPath, wait: bool = False) -> Iterator[int]:
    """Hold an exclusive lock on ``path``, which is created if missing.

    The operating system releases the lock when the process dies.

    Yields:
        The file descriptor. A forked process must close it.

    Raises:
        BusyError: another process holds the lock, and ``wait`` is False.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise BusyError(f'{os.fspath(path)!r} is locked by another process') from None
        yield handle
    finally:
        os.close(handle)


def fsync_folder(path: StrPath) -> None:
    """Flush the entries of a folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(
    path: StrPath, data: bytes | Iterable[bytes], scratch: StrPath | None = None, mode: int = 0o666
) -> None:
    """Write a file under a temporary name, fsync it, and rename it.

    Args:
        path: the file.
        data: its content.
        scratch: folder of the temporary file, on the same file system; the
            default is the folder of ``path``.
        mode: permissions, less the umask.

    Raises:
        OSError: the disk is full or the like; ``path`` is then unchanged.
    """
    path = os.fspath(path)
    partial = os.path.join(scratch, f'{os.getpid()}.part') if scratch else f'{path}.{os.getpid()}.part'
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, 'wb') as file:
            for part in [data] if isinstance(data, bytes) else data:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def sha256_file(path: StrPath) -> tuple[str, int]:
    """(hex SHA-256, size in bytes) of a file."""
    with open(path, 'rb') as file:
        digest = hashlib.file_digest(file, 'sha256')
        return digest.hexdigest(), file.tell()


def check_writable(path: StrPath, what: str) -> None:
    """Check that a folder exists and is writable, or can be created.

    Args:
        path: the folder.
        what: the argument and its value, for the message.

    Raises:
        UsageError: the folder cannot be written to.
    """
    folder = Path(path)
    existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not existing.is_dir():
        raise UsageError(f'{what}: {existing} is not a folder')
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(f'{what}: {existing} is not writable')
