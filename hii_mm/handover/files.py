"""Files that are there whole or not at all, and locks."""

import contextlib
import fcntl
import hashlib
import os


class Busy(Exception):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(path, wait=False):
    """Hold an exclusive lock on ``path`` (made if need be); the system frees it if the process dies.

    Yields the handle, which a forked process must close.

    Raises:
        Busy: another process has it, and ``wait`` is False.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Busy from None
        yield handle
    finally:
        os.close(handle)


def fsync_folder(path):
    """Make the names in a folder last."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path, data, scratch=None, mode=0o666):
    """Write a file under another name, fsync it, and give it its name.

    Args:
        path (str): the file.
        data (bytes | list): its content; any iterable of bytes.
        scratch (str): where the other name is, on the same file system; the
            default is beside it.
        mode (int): permissions, less the umask.
    """
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


def sha256_file(path):
    """(hex digest, bytes) of a file."""
    digest, size = hashlib.sha256(), 0
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
