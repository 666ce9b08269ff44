"""Atomic writes, checksums and file locks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import BusyError, UsageError

StrPath = str | os.PathLike[str]
GRACE = 0.3  # seconds: the workers of a killed process die a moment after it, and hold its lock until then


@contextlib.contextmanager
def locked(path: StrPath, wait: bool = False) -> Iterator[int]:
    """Hold an exclusive lock on ``path``, which is created if missing.

    The operating system releases the lock when the process and its forks die.

    Yields:
        The file descriptor. A forked process must close it.

    Raises:
        BusyError: another process holds the lock for longer than ``GRACE``, and ``wait`` is False.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + GRACE
        while not wait and not _try_lock(handle):
            if time.monotonic() > deadline:
                raise BusyError(f'{os.fspath(path)!r} is locked by another process')
            time.sleep(0.01)
        if wait:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def naming(path: StrPath) -> Iterator[None]:
    """Name a file in the system errors raised inside that name none, and report a lack of memory as one of them.

    Raises:
        OSError: with ``filename``.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise
    except MemoryError:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), os.fspath(path)) from None


def open_regular(path: StrPath) -> io.BufferedReader:
    """Open a regular file for reading. Pipes, devices and sockets, which could block for ever, are refused.

    Raises:
        OSError: not a regular file (``strerror`` says so), or a file that cannot be opened.
    """
    path = os.fspath(path)
    _check_regular(os.stat(path), path)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_regular(os.fstat(handle), path)
        return open(handle, 'rb')
    except BaseException:
        os.close(handle)
        raise


def _check_regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(code, 'not a regular file', path)


def fsync_folder(path: StrPath) -> None:
    """Flush the entries of a folder to disk."""
    with naming(path):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def fsync_folders(root: StrPath, names: Iterable[str]) -> None:
    """Flush to disk the entries of a folder and of all folders that lead to files below it.

    Args:
        root: the folder.
        names: paths of files below it.
    """
    folders = {''}
    for name in names:
        folder = os.path.dirname(name)
        while folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders):
        path = os.path.join(root, folder)
        if os.path.isdir(path):
            fsync_folder(path)


def write_atomically(
    path: StrPath, data: bytes | Iterable[bytes], scratch: StrPath | None = None, mode: int | None = None
) -> None:
    """Write a file under a temporary name, fsync it, and rename it.

    Args:
        path: the file.
        data: its content.
        scratch: folder of the temporary file, on the same file system; the
            default is the folder of ``path``.
        mode: permissions; None is 0666 less the umask.

    Raises:
        OSError: the disk is full or the like; ``path``, which the error names, is then unchanged.
    """
    path = os.fspath(path)
    partial = os.path.join(scratch, f'{os.getpid()}.part') if scratch else f'{path}.{os.getpid()}.part'
    with naming(path):
        _write_atomically(path, data, partial, mode)


def _write_atomically(path: str, data: bytes | Iterable[bytes], partial: str, mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    handle = os.open(partial, flags, 0o666 if mode is None else mode)
    try:
        with os.fdopen(handle, 'wb') as file:
            if mode is not None:
                os.fchmod(handle, mode)
            for part in [data] if isinstance(data, bytes) else data:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def write_new(path: StrPath, data: bytes, mode: int = 0o666) -> None:
    """Write a file that must not exist: it appears under its name at once and whole, and is flushed to disk.

    Args:
        path: the file.
        data: its content.
        mode: permissions, less the umask.

    Raises:
        FileExistsError: it exists; it is unchanged.
        OSError: the disk is full or the like; nothing is left behind.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f'.{name[:64]}.{secrets.token_hex(8)}.part')
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with naming(path), os.fdopen(handle, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _link(partial, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)
    fsync_folder(folder or '.')


def _link(partial: str, path: str) -> None:
    """Give a file its name unless that is taken; where there are no hard links, reserve the name first.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.replace(partial, path)


def sha256_file(path: StrPath) -> tuple[str, int]:
    """(hex SHA-256, size in bytes) of a regular file.

    Raises:
        OSError: it cannot be read; the error names it.
    """
    with naming(path), open_regular(path) as file:
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
