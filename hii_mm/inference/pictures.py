"""Find the pictures to predict on, and tell plain ones from encrypted ones. NumPy and Pillow, no torch, no mm."""

from __future__ import annotations

import functools
import glob
import os
import os.path as osp
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..encryption import MasterKey, Plan, Scheme
from ..encryption.checks import check_pixels
from ..errors import CannotDecryptError, HiiError, InvalidTypeError, InvalidValueError, SourceError
from ..files import StrPath
from ..handover import Manifest, names
from ..handover.layout import copy_around
from ..handover.reader import pictures as copy_pictures
from ..handover.reader import row_bytes
from ..handover.rows import Row
from ..handover.safety import load_key, name_map_path
from ..images import as_colours, decode, decode_as, read_colours

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp')
Inputs = Any  # a path, folder, pattern, array, Pillow image, bytes, or an iterable of these


@dataclass(frozen=True)
class Picture:
    """A picture to predict on.

    Attributes:
        name: its path, below the folder that was given; or 'array 0' and so on.
        image: uint8 (H, W) or (H, W, 3) RGB.
        encrypted: whether it is encrypted already.
        scheme: how, if a manifest says it; else None.
        plan: how exactly, if the key is known or nothing is secret; else None.
        pixels: of an encrypted one as its file has them, such as 16 bits or with alpha; None for ``image``.
    """

    name: str
    image: np.ndarray
    encrypted: bool = False
    scheme: Scheme | None = None
    plan: Plan | None = None
    pixels: np.ndarray | None = None

    def decrypted(self) -> np.ndarray:
        """Return the plain picture behind an encrypted one whose plan is known, as :attr:`image`.

        Patches go back to their places; what was mixed is enlarged to the plain size.
        """
        assert self.plan is not None
        pixels = self.image if self.pixels is None else self.pixels
        if self.plan.shuffle is not None:  # before 16 bits become 8: tone counts in the levels of the file
            pixels = self.plan.shuffle.invert(pixels)
        image = as_colours(pixels)
        if self.plan.mixup is None:
            return image
        return np.asarray(Image.fromarray(image).resize(self.plan.plain_shape[::-1], Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class Source:
    """Where a picture comes from; it is read by :attr:`load`, when its turn comes.

    Attributes:
        name: as :attr:`Picture.name`.
        load: reads it; raises HiiError or OSError if that fails.
        scheme: as :attr:`Picture.scheme`.
    """

    name: str
    load: Callable[[], Picture]
    scheme: Scheme | None = None


def find(
    inputs: Inputs,
    *,
    encrypted: bool | None = None,
    key: MasterKey | StrPath | None = None,
    name_map: StrPath | None = None,
) -> list[Source]:
    """Return everything to predict on, in order.

    A file that lies in a copy which ``hii-mm encrypt`` wrote is encrypted as its
    manifest says. Anything else is what ``encrypted`` says, by default plain.

    Args:
        inputs: the path of a file, of a folder or of a copy; a pattern such as
            ``'photos/*.jpg'``; an array, (H, W) or (H, W, C) of uint8 or uint16
            in RGB order, or (N, H, W, C); a Pillow image; the bytes of an image
            file; or any iterable of these.
        encrypted: whether pictures that no manifest describes are encrypted. False
            for pictures of a copy is refused.
        key: of the copies, or the path of its file; for answers in the plain frame.
        name_map: of renamed copies; the default lies beside the key file.

    Raises:
        SourceError: a path or pattern that leads to no picture.
        InvalidTypeError, InvalidValueError: something that is not a picture.
        CannotDecryptError: a key of another copy.
        HiiError: a damaged manifest, or a key file that cannot be read.
    """
    finder = _Finder(encrypted, None if key is None else load_key(key), key, name_map)
    return list(finder.walk(inputs))


class _Finder:
    """A walk through inputs.

    Args:
        encrypted, key, name_map: as in :func:`find`, the key loaded.
        keyfile: as it was given.
    """

    def __init__(self, encrypted: bool | None, key: MasterKey | None, keyfile: Any, name_map: StrPath | None) -> None:
        self.encrypted, self.key, self.keyfile, self.name_map = encrypted, key, keyfile, name_map
        self.copies: dict[str, Copy] = {}
        self.arrays = 0

    def walk(self, inputs: Inputs) -> Iterator[Source]:
        """Yield the sources behind one input or several."""
        if isinstance(inputs, (str, os.PathLike)):
            yield from self._path(os.fspath(inputs))
        elif isinstance(inputs, (bytes, bytearray)):
            yield self._pixels(functools.partial(decode, bytes(inputs)))
        elif isinstance(inputs, Image.Image):
            yield self._pixels(functools.partial(_from_pillow, inputs))
        elif isinstance(inputs, np.ndarray):
            for array in inputs if inputs.ndim == 4 else [inputs]:
                check_pixels(array)
                if array.dtype.kind == 'f':
                    raise InvalidTypeError(f'an array must be uint8 or uint16, got {array.dtype}')
                yield self._pixels(functools.partial(np.asarray, array))
        elif isinstance(inputs, Iterable):
            for each in inputs:
                yield from self.walk(each)
        else:
            raise InvalidTypeError(
                f'a picture must be a path, an array, a Pillow image or bytes, got {type(inputs).__name__}'
            )

    def _pixels(self, read: Callable[[], np.ndarray]) -> Source:
        """Return the source of a picture without a file."""
        name, encrypted = f'array {self.arrays}', bool(self.encrypted)
        self.arrays += 1
        return Source(name, lambda: Picture(name, as_colours(read()), encrypted))

    def _path(self, path: str) -> Iterator[Source]:
        """Yield the sources behind a path or a pattern."""
        if osp.isdir(path):
            if osp.isfile(osp.join(path, 'manifest.json')):
                yield from self._copy(osp.realpath(path)).sources()
                return
            files = [osp.join(folder, file) for folder, _, found in sorted(os.walk(path)) for file in sorted(found)]
            files = [file for file in files if file.lower().endswith(SUFFIXES)]
            if not files:
                raise SourceError(f'no pictures in {path!r}: looked for {", ".join(SUFFIXES)}')
            for file in files:
                yield self._file(file, osp.relpath(file, path))
        elif osp.lexists(path):
            yield self._file(path, osp.basename(path))
        else:
            files = sorted(glob.glob(path, recursive=True))
            if not files:
                raise SourceError(f'no such file, folder or pattern: {path!r}')
            for file in files:
                yield from self._path(file)

    def _file(self, path: str, name: str) -> Source:
        """Return the source of a file, in a copy or not."""
        around = copy_around(osp.dirname(path) or '.')
        if around is not None:
            return self._copy(around).source(osp.relpath(osp.realpath(path), around))
        encrypted = bool(self.encrypted)
        return Source(name, lambda: Picture(name, read_colours(path), encrypted))

    def _copy(self, folder: str) -> Copy:
        """Return the copy in a folder.

        Raises:
            InvalidValueError: its pictures were said to be plain.
        """
        if self.encrypted is False:
            raise InvalidValueError(
                f'{folder!r} is an encrypted copy, so its pictures are not plain: leave encrypted=False out'
            )
        if folder not in self.copies:
            self.copies[folder] = Copy(folder, self.key, self.keyfile, self.name_map)
        return self.copies[folder]


class Copy:
    """A copy that ``hii-mm encrypt`` wrote.

    Args:
        folder: its real path.
        key: its key, or None.
        keyfile: the key as it was given, to find the map of names.
        name_map: the map of names, or None.

    Raises:
        ManifestError: no finished copy.
        CannotDecryptError: another key.
    """

    def __init__(self, folder: str, key: MasterKey | None, keyfile: Any, name_map: StrPath | None) -> None:
        self.folder, self.manifest, self.key = folder, Manifest(folder), key
        self.settings = self.manifest.settings
        self.files: dict[str, str] | None = None
        if key is not None and key.fingerprint != self.manifest.key_fingerprint:
            raise CannotDecryptError(
                f'{folder!r} was made with key {self.manifest.key_fingerprint!r}, but this key is {key.fingerprint!r}'
            )
        if key is not None and self.settings.rename:
            self.files = names.NameMap(name_map_path(keyfile, name_map)).read()

    def sources(self) -> list[Source]:
        """Return all pictures of the copy."""
        return [self.source(name) for name in self.rows]

    def source(self, name: str) -> Source:
        """Return one picture; ``name`` is that of its row."""
        return Source(name, lambda: self._load(name), self.settings.scheme)

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """The rows of the manifest by name; its checksum is checked."""
        return {row.name: row for row in self.manifest.rows(self.key)}

    def _load(self, name: str) -> Picture:
        """Read one picture.

        Raises:
            HiiError: it is not in the manifest, or cannot be read.
        """
        row = self.rows.get(name)
        if row is None:
            raise SourceError(f'{name!r} lies in the copy {self.folder!r}, but its manifest does not list it')
        pixels = decode_as(row_bytes(self.folder, row, self._member(row)), row.mode)
        return Picture(name, as_colours(pixels), True, self.settings.scheme, self.plan(row), pixels)

    def _member(self, row: Row) -> bytes | None:
        """Return the content of a picture in a tar file; None for a file of its own."""
        if row.shard is None:
            return None
        for _ in range(2):  # members are read in order: only who goes back reads from the start
            for found, data in self._members:
                if found.name == row.name:
                    return data
            self._members = self._all_members()
        raise SourceError(f'{row.name!r} cannot be read from {row.shard!r} of {self.folder!r}')

    @functools.cached_property
    def _members(self) -> Iterator[tuple[Row, bytes | None]]:
        return self._all_members()

    def _all_members(self) -> Iterator[tuple[Row, bytes | None]]:
        return copy_pictures(self.folder, self.rows.values(), self.settings, lambda name, why: None)

    def plan(self, row: Row) -> Plan | None:
        """Return how a picture was encrypted, if the key is known or nothing was shuffled."""
        scheme = self.settings.scheme
        if scheme.shuffle is None:
            return scheme.plan(row.plain_hw)
        if self.key is None:
            return None
        name = names.source_name(row.name, self.settings)
        if self.files is not None:
            if name not in self.files:
                raise HiiError(f'{row.name}: the map of names does not contain it')
            name = osp.splitext(self.files[name])[0]
        return scheme.plan(row.plain_hw, key=self.key, image_id=name, dataset_id=self.settings.dataset_id)


def _from_pillow(image: Image.Image) -> np.ndarray:
    """Return the pixels of a Pillow image, RGB or grey."""
    return np.asarray(image if image.mode in ('L', 'RGB', 'RGBA', 'LA') else image.convert('RGB'))
