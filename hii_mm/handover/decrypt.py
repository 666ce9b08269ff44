"""Decrypt a shuffled copy: put the pixels back in their places."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os.path as osp
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..encryption import MasterKey, checks
from ..errors import CannotDecryptError, InvalidValueError, RejectedError
from ..files import StrPath, fsync_folders, naming, sha256_file, write_atomically
from ..images import decode_as, encode
from ..progress import Progress, counted, silent
from . import names, output, safety
from .job import check_pixels
from .layout import MANIFEST, NEXT, WORK, WORK_OUT, safe_name
from .manifest import Manifest
from .pool import ordered
from .reader import Report, pictures, row_bytes
from .results import Decryption, Problem
from .rows import Row
from .settings import Settings
from .sizes import WRONG_SUM
from .temporary import NameTable

_ALL, _PRIVATE, _NOT_EXECUTABLE = 0o777, 0o077, 0o666
_OF_THE_NAME = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)


def decrypt(
    dst: StrPath,
    out: StrPath,
    *,
    key: MasterKey | StrPath,
    name_map: StrPath | None = None,
    resume: bool = False,
    umask: int | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Decryption:
    """Write the images of a copy, decrypted, as PNG files.

    Args:
        dst: the copy.
        out: the folder to write, which must be outside of all copies, and new or empty unless ``resume``.
        key: the master key, or the path of its file.
        name_map: of a renamed copy: the owner's file of pseudonyms. The default
            lies beside the key file.
        resume: continue a decryption to ``out`` that was stopped. What it has
            written is read again, and kept if it is whole.
        umask: permissions that the files and folders do not get. None is 0o077:
            only their owner can read them, as the pictures are plain.
        workers: number of processes.
        progress: called after each image.

    Returns:
        How many images were decrypted, which were not, and the share of pixels lost.

    Raises:
        CannotDecryptError: another key, a mixed copy, or a folder ``out`` that must not be used.
        ManifestError: a manifest that is missing, damaged or forged.
        KeyFileError: the key or the map of names cannot be read.
        BusyError: another process decrypts to ``out``.
        OSError: the disk is full or the like; ``resume`` continues.
    """
    if umask is not None and not 0 <= checks.whole('umask', umask, 0) <= _ALL:
        raise InvalidValueError(f'umask must be at most 0o777, got {umask:#o}')
    workers = checks.whole('workers', workers, 1)
    secret = safety.load_key(key)
    manifest = Manifest(osp.realpath(dst))
    _check_possible(manifest, secret)
    safety.check_output(osp.realpath(out), dst)
    _check_settled(manifest)
    digest = manifest.check(secret)  # the signature is at the end: check it before anything is written
    run, images = {'manifest': digest}, manifest.counts.images
    mode = _ALL & ~(_PRIVATE if umask is None else umask)
    with contextlib.ExitStack() as stack:
        files = None
        if manifest.settings.rename:
            files = stack.enter_context(names.NameMap(safety.name_map_path(key, name_map)).opened())
        folder, handle = stack.enter_context(output.opened(osp.realpath(out), run, images, resume, mode))
        return _decrypt(manifest, folder, handle, secret, files, mode, workers, progress)


def _decrypt(
    manifest: Manifest,
    folder: output.Output,
    handle: int,
    key: MasterKey,
    files: NameTable | None,
    mode: int,
    workers: int,
    progress: Progress,
) -> Decryption:
    """Decrypt all images; ``files`` maps pseudonyms to source files."""
    dst, result, lost = osp.dirname(manifest.path), Decryption(), 0.0
    unreadable, folders, sums = list[Problem](), {''}, {row.name: row.sha256 for row in manifest.files}

    def report(name: str, reason: str) -> None:
        unreadable.append(Problem(name, reason))

    def items() -> Iterator[_Item]:
        numbered = _Numbered(_summed(dst, manifest.rows(key), sums, report))
        for row, data in pictures(dst, numbered, manifest.settings, report):
            name = names.source_name(row.name, manifest.settings)
            file = name if files is None else files.get(name)
            if file is None:
                report(row.name, 'the map of names does not contain it')
                continue
            image_id = name if files is None else osp.splitext(file)[0]
            number = numbered.number(row)
            folders.add(osp.dirname(image_id))
            yield number, row, data, image_id, folder.known(number)

    args = (dst, osp.dirname(folder.scratch), folder.scratch, manifest.settings, key, mode)
    with ordered(items(), workers, Decrypter, args, [handle]) as pictures_out:
        for name, done, kept, problem in counted(pictures_out, progress, manifest.counts.images):
            if done is None:
                result.failed.append(Problem(name, str(problem)))
                continue
            result.images, lost = result.images + 1, lost + done.lost
            if not kept:
                folder.add(done)
    fsync_folders(osp.dirname(folder.scratch), (f'{name}/' for name in folders if safe_name(name)))
    result.failed += unreadable
    result.lost = lost / result.images if result.images else 0.0
    return result


class _Numbered:
    """Rows with their numbers, of which :func:`.reader.pictures` yields some."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows, self._waiting = rows, deque[tuple[int, Row]]()

    def __iter__(self) -> Iterator[Row]:
        for numbered in enumerate(self._rows):
            self._waiting.append(numbered)
            yield numbered[1]

    def number(self, row: Row) -> int:
        """Return the number of a row; those before it are forgotten."""
        while True:
            number, first = self._waiting.popleft()
            if first is row:
                return number


def _summed(dst: str, rows: Iterable[Row], sums: dict[str, str], report: Report) -> Iterator[Row]:
    """Yield the rows, and check each tar file as a whole before anything in it is read."""
    shard = None
    for row in rows:
        if row.shard is not None and row.shard != shard:
            shard = row.shard
            path = osp.join(dst, shard)
            if safe_name(shard) and osp.isfile(path) and sha256_file(path)[0] != sums.get(shard):
                report(shard, f'{WRONG_SUM}; images that are whole were decrypted all the same')
        yield row


def _check_settled(manifest: Manifest) -> None:
    """Raise CannotDecryptError for a copy that an update, stopped at its end, left between two states."""
    folder = osp.dirname(manifest.path)
    if osp.exists(osp.join(folder, WORK, NEXT, MANIFEST)):
        raise CannotDecryptError(f'{folder!r} is being updated; finish that with hii-mm encrypt --update first')


def _check_possible(manifest: Manifest, key: MasterKey) -> None:
    """Check that a copy can be decrypted with a key.

    Raises:
        CannotDecryptError: another key, or mixed.
    """
    if manifest.key_fingerprint != key.fingerprint:
        raise CannotDecryptError(
            f'the copy was made with key {manifest.key_fingerprint!r}, but this key is {key.fingerprint!r}'
        )
    mixup = manifest.settings.scheme.mixup
    if mixup is not None:
        raise CannotDecryptError(
            f"strategy '{manifest.settings.scheme.strategy}' averaged {mixup.grid**2} pixels into each one, which "
            'cannot be undone, with or without a key. Nothing was written'
        )


# the number of a row, the row, the content or None, the image id, and what is known from an earlier run
_Item = tuple[int, Row, bytes | None, str, output.Done | None]


class _Decrypted(NamedTuple):
    """The name of an image, and what was done, by an earlier run or not; or why it failed."""

    name: str
    done: output.Done | None
    kept: bool = False
    problem: str | None = None


class Decrypter:
    """Decrypts one image after another; made once in each process by :func:`.pool.ordered`."""

    def __init__(self, dst: str, out: str, scratch: str, settings: Settings, key: MasterKey, mode: int) -> None:
        self._dst, self._out, self._scratch, self._settings, self._key = dst, out, scratch, settings, key
        self._mode, self._folders = mode, set[str]()

    def __call__(self, item: _Item) -> _Decrypted:
        """Decrypt an image, unless it is whole already."""
        number, row, data, image_id, known = item
        try:
            if known is not None and self._is_whole(image_id, known):
                return _Decrypted(row.name, known, kept=True)
            with naming(osp.join(self._dst, row.shard or row.name)):
                digest, lost = self._decrypt(row, row_bytes(self._dst, row, data), image_id)
            return _Decrypted(row.name, output.Done(number, digest, lost))
        except (RejectedError, ValueError) as error:
            return _Decrypted(row.name, None, problem=str(error))
        except OSError as error:
            if error.errno not in _OF_THE_NAME:
                raise
            problem = f'it cannot be written as {image_id + ".png"!r}: {error.strerror}'
            return _Decrypted(row.name, None, problem=problem)

    def _is_whole(self, image_id: str, known: output.Done) -> bool:
        path = osp.join(self._out, image_id + '.png')
        return osp.isfile(path) and sha256_file(path)[0].startswith(known.sum)

    def _decrypt(self, row: Row, data: bytes, image_id: str) -> tuple[str, float]:
        """Write one image; returns the start of its checksum, and the share of its pixels that is lost."""
        if not safe_name(image_id) or image_id.split('/')[0] == WORK_OUT:
            raise RejectedError(f'its image id {image_id!r} is not a path')
        if hashlib.sha256(data).hexdigest() != row.sha256:
            raise RejectedError(WRONG_SUM)
        check_pixels(row.plain_hw, 'decryption')  # before a plan, which would take memory for each patch
        scheme, dataset_id = self._settings.scheme, self._settings.dataset_id
        plan = scheme.plan(row.plain_hw, key=self._key, image_id=image_id, dataset_id=dataset_id)
        plain = encode(plan.invert(decode_as(data, row.mode)), '.png')
        folder = osp.dirname(image_id)
        if folder not in self._folders:
            output.make_folders(self._out, folder, self._mode)
            self._folders.add(folder)
        write_atomically(osp.join(self._out, image_id + '.png'), plain, self._scratch, self._mode & _NOT_EXECUTABLE)
        return hashlib.sha256(plain).hexdigest()[: output.SUM_DIGITS], float(plan.missing().mean())
