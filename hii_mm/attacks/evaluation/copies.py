"""Encrypted copies that ``hii-mm encrypt`` wrote, as cases: the one file here that knows their format."""

from __future__ import annotations

import contextlib
import os.path as osp
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...encryption import MasterKey, Plan
from ...errors import HiiError, ManifestError, NothingToAttackError, RejectedError, SourceError
from ...files import StrPath
from ...handover import Manifest, coco, names
from ...handover.fit import plan_fit
from ...handover.layout import ANNOTATIONS
from ...handover.reader import pictures, row_bytes
from ...handover.rows import Row
from ...handover.safety import check_outside_copy, load_key
from ...handover.sources import images_first, sources_of
from ...images import decode, decode_as, read_file
from .cases import Case

__all__ = ['check_outside_copy', 'is_copy', 'load']

JPEG_OFF = 8  # levels: by how much JPEG of quality 95 changes a pixel at most, on average

Rows = Mapping[str, Sequence[Mapping[str, Any]]]  # annotations of each picture


def is_copy(folder: StrPath) -> bool:
    """Return whether a folder is a finished copy."""
    return (Path(folder) / 'manifest.json').is_file()


def load(
    folder: StrPath, truth: StrPath | None = None, key: MasterKey | StrPath | None = None, count: int | None = None
) -> tuple[list[Case], list[str]]:
    """Return the images of an encrypted copy, with as much truth as is given.

    Args:
        folder: that ``hii-mm encrypt`` wrote.
        truth: the plain folder that it was made from; None for what a trainer sees.
        key: the key or its file. Without it images can be compared, but not
            the places of their pieces.
        count: at most that many images.

    Returns:
        The cases, and one line for everything that was left out.

    Raises:
        SourceError: no valid manifest, another key, or a key without the plain folder.
        NothingToAttackError: no image can be attacked.
        KeyFileError: the key cannot be read.
    """
    if key is not None and truth is None:
        raise SourceError('key needs truth (--against): figures compare with the plain images')
    real = osp.realpath(folder)
    cases: list[Case] = []
    left: list[str] = []
    try:
        manifest = Manifest(real)
        known = None if truth is None else _Truth(osp.realpath(truth), key, manifest)
        objects = _objects(real)
        for row, data in pictures(real, manifest.rows(), manifest.settings, lambda *what: left.append(': '.join(what))):
            if count is not None and len(cases) >= count:
                left.append(f'the other images of {folder} (limit {count})')
                break
            try:
                cases.append(_case(real, row, data, manifest, known, objects))
            except HiiError as error:
                left.append(f'{row.name}: {error}')
    except ManifestError as error:
        raise SourceError(f'{folder}: {error}') from None
    if not cases:
        raise NothingToAttackError(f'{folder} has no image that can be attacked: {"; ".join(left[:3])}')
    return cases, left


def _case(folder: str, row: Row, data: bytes | None, manifest: Manifest, truth: _Truth | None, objects: Rows) -> Case:
    """Return the case of one row.

    Raises:
        HiiError: the image or its plain image cannot be used.
    """
    encrypted = decode_as(row_bytes(folder, row, data), row.mode)
    plain, plan = truth.of(row, encrypted) if truth else (None, None)
    # a COCO file may name pictures from a folder below the copy on
    ends = ['/'.join(row.name.split('/')[k:]) for k in range(row.name.count('/') + 1)]
    found = next((objects[end] for end in ends if end in objects), ())
    return Case(row.name, 0, manifest.settings.scheme, encrypted, plain, plan, row.plain_hw, found)


def _objects(folder: str) -> Rows:
    """Return the objects of each picture that the COCO files of a copy name; files that are damaged are left out."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for path in sorted(Path(folder, ANNOTATIONS).glob('*.json')):
        try:
            read = coco.read(path)
        except HiiError:
            continue
        for name, entries in read.images.items():
            found.setdefault(name, []).extend(dict(row) for _, rows in entries for _, row in rows)
    return found


class _Truth:
    """The plain images and plans behind the rows of a manifest.

    Raises:
        SourceError: another key than the copy's, or names that only the key can tell.
    """

    def __init__(self, src: str, key: MasterKey | StrPath | None, manifest: Manifest) -> None:
        self.src, self.settings = src, manifest.settings
        self.key = None if key is None else load_key(key)
        if self.key and self.key.fingerprint != manifest.key_fingerprint:
            raise SourceError(
                f'the copy was made with the key {manifest.key_fingerprint}, and this key is {self.key.fingerprint}'
            )
        if self.settings.rename and not self.key:
            raise SourceError('the copy was renamed: give the key (--key) to find the plain image of each picture')
        with contextlib.closing(sources_of(src, self.settings, self.key)) as found:
            self.files = {name: images_first(files, self.settings)[0] for name, files in found.left()}

    def of(self, row: Row, encrypted: np.ndarray) -> tuple[np.ndarray, Plan | None]:
        """Return the plain pixels that were encrypted, and their plan, if the key is known.

        Args:
            row: of the manifest.
            encrypted: its pixels.

        Raises:
            RejectedError: the plain image is missing, or is another one.
        """
        file = self.files.get(names.source_name(row.name, self.settings))
        if file is None:
            raise RejectedError(f'its plain image is not in {self.src}')
        plain = decode(read_file(self.src, file))
        plain = plan_fit(self.settings, (plain.shape[0], plain.shape[1])).image(plain)
        if plain.shape[:2] != row.plain_hw:
            raise RejectedError(f'{file} is {plain.shape[:2]}, but the manifest says {row.plain_hw}')
        plan = self._plan(plain.shape, osp.splitext(file)[0])
        if not self._fits(plan, plain, encrypted):
            raise RejectedError(f'{file} is not the image that was encrypted')
        return plain, plan if self.key else None

    def _plan(self, shape: tuple[int, ...], image_id: str) -> Plan:
        """Return the plan; without the key any other one, which keeps the same pixels if none are dropped."""
        if self.key is None:
            return self.settings.scheme.plan(shape, np.random.default_rng(0))
        scheme, dataset_id = self.settings.scheme, self.settings.dataset_id
        return scheme.plan(shape, key=self.key, image_id=image_id, dataset_id=dataset_id)

    def _fits(self, plan: Plan, plain: np.ndarray, encrypted: np.ndarray) -> bool:
        """Return whether the plain image gives these encrypted pixels; without the key in any order."""
        expected, shuffle = plan.apply(plain), self.settings.scheme.shuffle
        if expected.shape != encrypted.shape:
            return False
        if shuffle and not self.key:
            if shuffle.drop_ratio:
                return True  # nobody can say which patches were kept
            expected, encrypted = (np.sort(each.reshape(-1, *each.shape[2:]), axis=0) for each in (expected, encrypted))
        if self.settings.format == 'jpeg':
            return bool(np.abs(expected.astype(np.float32) - encrypted).mean() <= JPEG_OFF)
        return np.array_equal(expected, encrypted)
