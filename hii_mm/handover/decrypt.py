"""Decrypt a shuffled copy: put the pixels back in their places."""

from __future__ import annotations

import errno
import hashlib
import os
import os.path as osp
from collections.abc import Iterator
from typing import NamedTuple

from ..encryption import MasterKey, checks
from ..errors import CannotDecryptError, RejectedError
from ..files import StrPath, write_atomically
from ..images import decode_as, encode
from ..progress import Progress, counted, silent
from . import names, safety
from .layout import safe_name
from .manifest import Manifest
from .pool import ordered
from .reader import pictures, row_bytes
from .results import Decryption, Problem
from .rows import Row
from .settings import Settings
from .verify import WRONG_SUM

_OF_THE_NAME = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)


def decrypt(
    dst: StrPath,
    out: StrPath,
    *,
    key: MasterKey | StrPath,
    name_map: StrPath | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Decryption:
    """Write the images of a copy, decrypted, as PNG files.

    Args:
        dst: the copy.
        out: the folder to write, which must be new or empty and outside of all copies.
        key: the master key, or the path of its file.
        name_map: of a renamed copy: the owner's file of pseudonyms. The default
            lies beside the key file.
        workers: number of processes.
        progress: called after each image.

    Returns:
        How many images were decrypted, which were not, and the share of pixels lost.

    Raises:
        CannotDecryptError: another key, a mixed copy, or a folder ``out`` that must not be used.
        ManifestError: a manifest that is missing, damaged or forged.
        KeyFileError: the key or the map of names cannot be read.
    """
    workers = checks.whole('workers', workers, 1)
    secret = safety.load_key(key)
    manifest = Manifest(osp.realpath(dst))
    _check_possible(manifest, secret)
    safety.check_output(osp.realpath(out), dst)
    manifest.check(secret)  # the signature is at the end: check it before anything is written
    files = names.NameMap(safety.name_map_path(key, name_map)).read() if manifest.settings.rename else None
    return _decrypt(manifest, osp.realpath(out), secret, files, workers, progress)


def _decrypt(
    manifest: Manifest, out: str, key: MasterKey, files: dict[str, str] | None, workers: int, progress: Progress
) -> Decryption:
    """Decrypt all images; ``files`` maps pseudonyms to source files."""
    dst, result, lost = osp.dirname(manifest.path), Decryption(), 0.0
    unreadable: list[Problem] = []

    def report(name: str, reason: str) -> None:
        unreadable.append(Problem(name, reason))

    def items() -> Iterator[tuple[Row, bytes | None, str]]:
        for row, data in pictures(dst, manifest.rows(key), manifest.settings, report):
            name = names.source_name(row.name, manifest.settings)
            if files is None:
                yield row, data, name
            elif name in files:
                yield row, data, osp.splitext(files[name])[0]
            else:
                report(row.name, 'the map of names does not contain it')

    results = ordered(items(), workers, Decrypter, (dst, out, manifest.settings, key))
    for name, share, problem in counted(results, progress, manifest.counts.images):
        if problem is None:
            result.images, lost = result.images + 1, lost + share
        else:
            result.failed.append(Problem(name, problem))
    result.failed += unreadable
    result.lost = lost / result.images if result.images else 0.0
    return result


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


class _Decrypted(NamedTuple):
    """The name of an image, the share of its pixels that is lost, and why it failed or None."""

    name: str
    lost: float
    problem: str | None


class Decrypter:
    """Decrypts one image after another; made once in each process by :func:`.pool.ordered`."""

    def __init__(self, dst: str, out: str, settings: Settings, key: MasterKey) -> None:
        self._dst, self._out, self._settings, self._key = dst, out, settings, key

    def __call__(self, item: tuple[Row, bytes | None, str]) -> _Decrypted:
        """Decrypt (row, content or None, image id)."""
        row, data, image_id = item
        try:
            return _Decrypted(row.name, self._decrypt(row, row_bytes(self._dst, row, data), image_id), None)
        except (RejectedError, ValueError) as error:
            return _Decrypted(row.name, 0.0, str(error))
        except OSError as error:
            if error.errno not in _OF_THE_NAME:
                raise
            return _Decrypted(row.name, 0.0, f'it cannot be written as {image_id + ".png"!r}: {error.strerror}')

    def _decrypt(self, row: Row, data: bytes, image_id: str) -> float:
        """Write one image; returns the share of its pixels that is lost."""
        if not safe_name(image_id):
            raise RejectedError(f'its image id {image_id!r} is not a path')
        if hashlib.sha256(data).hexdigest() != row.sha256:
            raise RejectedError(WRONG_SUM)
        plan = self._settings.scheme.plan(row.plain_hw, key=self._key, image_id=image_id)
        plain = encode(plan.invert(decode_as(data, row.mode)), '.png')
        path = osp.join(self._out, image_id + '.png')
        os.makedirs(osp.dirname(path), exist_ok=True)
        write_atomically(path, plain, self._out)
        return float(plan.missing().mean())
