"""The folder that images are decrypted to, and the record of a decryption that was stopped."""

from __future__ import annotations

import contextlib
import json
import os
import os.path as osp
import shutil
from array import array
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from ..errors import BusyError, CannotDecryptError, CopyError
from ..files import fsync_folder, locked, naming, write_atomically
from .layout import WORK_OUT
from .parsing import parse_row

_LOG, _RUN, _LOCK = 'done.jsonl', 'run.json', 'lock'
SUM_DIGITS = 16
_NOT_DONE = -1.0


class Done(msgspec.Struct):
    """A line of the record.

    Attributes:
        n: number of the image in the manifest.
        sum: first 16 hex digits of the SHA-256 of the decrypted file.
        lost: share of its pixels that is lost.
    """

    n: int
    sum: str
    lost: float


class Output:
    """OUT while a decryption runs. Made by :func:`opened`.

    Args:
        folder: the real path of OUT.
        images: number of images in the manifest.
    """

    def __init__(self, folder: str, images: int) -> None:
        self.scratch = osp.join(folder, WORK_OUT)
        self._path = osp.join(self.scratch, _LOG)
        self._sums, self._lost = array('Q', bytes(8 * images)), array('d', [_NOT_DONE]) * images
        self._file: BinaryIO | None = None

    def load(self) -> None:
        """Read the record of an earlier process; a damaged end of it is ignored."""
        with contextlib.suppress(FileNotFoundError), open(self._path, 'rb') as file:
            for line in file:
                with contextlib.suppress(CopyError, ValueError):
                    self._keep(parse_row(line, Done, self._path, CopyError))

    def _keep(self, done: Done) -> None:
        if 0 <= done.n < len(self._lost) and 0 <= done.lost <= 1 and len(done.sum) == SUM_DIGITS:
            self._sums[done.n], self._lost[done.n] = int(done.sum, 16), done.lost

    def known(self, n: int) -> Done | None:
        """Return what an earlier process recorded of an image, or None."""
        if not n < len(self._lost) or self._lost[n] == _NOT_DONE:
            return None
        return Done(n, f'{self._sums[n]:0{SUM_DIGITS}x}', self._lost[n])

    def add(self, done: Done) -> None:
        """Record an image that was written."""
        with naming(self._path):
            if self._file is None:
                self._file = open(self._path, 'ab')  # noqa: SIM115  close() closes it
            self._file.write(b'\n' + json.dumps(msgspec.to_builtins(done)).encode() + b'\n')
            self._file.flush()

    def close(self) -> None:
        """Close the record."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextlib.contextmanager
def opened(folder: str, run: dict[str, str], images: int, resume: bool, mode: int) -> Iterator[tuple[Output, int]]:
    """Hold OUT under its lock; the record is removed at the end unless an error stops the decryption.

    Args:
        folder: the real path of OUT.
        run: what an earlier process must have had in common with this one.
        images: number of images in the manifest.
        resume: continue what an earlier process left.
        mode: of folders that are created.

    Yields:
        The folder, and the file descriptor of the lock.

    Raises:
        CannotDecryptError: OUT holds something else.
        BusyError: another process decrypts to OUT.
    """
    work = osp.join(folder, WORK_OUT)
    begun = _check(folder, run, resume)
    make_folders(osp.dirname(folder), osp.basename(folder), mode)
    if not osp.isdir(work):
        os.mkdir(work, 0o700)
    with contextlib.ExitStack() as stack:
        try:
            handle = stack.enter_context(locked(osp.join(work, _LOCK)))
        except BusyError:
            raise BusyError(f'another process is decrypting to {folder!r}') from None
        if not begun:
            write_atomically(osp.join(work, _RUN), json.dumps(run).encode(), mode=0o600)
        fsync_folder(folder)
        output = Output(folder, images)
        stack.callback(output.close)
        output.load()
        yield output, handle
        output.close()
        shutil.rmtree(work)


def _check(folder: str, run: dict[str, str], resume: bool) -> bool:
    """Return whether OUT holds a decryption that can be continued.

    Raises:
        CannotDecryptError: it holds something else, or ``resume`` is False.
    """
    if not osp.lexists(folder) or not os.listdir(folder):
        return False
    path = osp.join(folder, WORK_OUT, _RUN)
    if osp.islink(osp.join(folder, WORK_OUT)) or not osp.isfile(path):
        if os.listdir(folder) == [WORK_OUT]:
            return False  # killed before anything was written
        raise CannotDecryptError(f'OUT {folder!r} is not empty; choose a new folder')
    if not resume:
        raise CannotDecryptError(f'OUT {folder!r} holds a decryption that was stopped; continue it with --resume')
    with open(path, 'rb') as file:
        text = file.read()
    if text != json.dumps(run).encode():
        raise CannotDecryptError(
            f'OUT {folder!r} holds a decryption of another copy, or of this one before it was changed; '
            'choose a new folder'
        )
    return True


def make_folders(root: str, below: str, mode: int) -> None:
    """Create the folders that are missing of a path.

    Args:
        root: an existing folder, or one whose missing parents get default permissions.
        below: path of folders below it.
        mode: exact permissions of the folders that are created below ``root``.
    """
    os.makedirs(root, exist_ok=True)
    for part in below.split('/') if below else ():
        root = osp.join(root, part)
        with contextlib.suppress(FileExistsError):
            os.mkdir(root, mode & 0o700)
            os.chmod(root, mode)
