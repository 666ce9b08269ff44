"""Sources of the images to attack: files, folders, encrypted copies or arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...encryption import MasterKey, Scheme
from ...encryption.checks import check_pixels
from ...errors import InvalidTypeError, NothingToAttackError, SourceError
from ...files import StrPath
from ..solver.pieces import as_uint8
from . import copies
from .cases import Case, encrypted_pictures
from .objects import Objects, read_objects
from .photos import load_pictures, picture_files, square

Images = StrPath | Iterable[StrPath] | Mapping[str, np.ndarray] | Iterable[np.ndarray]


@dataclass
class Subject:
    """The images to attack: cases that are encrypted already, or plain pictures to try a scheme on.

    Attributes:
        mode: in words, for the report.
        cases: encrypted images.
        pictures: plain images by name.
        left: one line for everything that was left out.
        objects: annotations of the plain images.
    """

    mode: str
    cases: list[Case] = field(default_factory=list)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    objects: Objects | None = None


def load_subject(
    images: Images,
    scheme: Scheme | None,
    *,
    truth: StrPath | None = None,
    key: MasterKey | StrPath | None = None,
    encrypted: bool = False,
    size: int = 224,
    limit: int = 50,
    out: StrPath | None = None,
    annotations: StrPath | None = None,
) -> Subject:
    """Load the images to attack; arguments as in :func:`hii_mm.attack`.

    Raises:
        SourceError: missing images, an unknown scheme, or arguments that do not go together.
        NothingToAttackError: none of the images can be attacked.
        UsageError: annotations that are not a COCO file.
    """
    paths, arrays = _split(images)
    if annotations is not None and (encrypted or scheme is None):
        raise SourceError(
            'annotations (--annotations) go with plain photos and a scheme to try; a copy that hii-mm encrypt --ann '
            'wrote has its own'
        )
    if len(paths) == 1 and copies.is_copy(paths[0]):
        if scheme is not None or encrypted:
            raise SourceError(f'{paths[0]} has a manifest that states its scheme: leave the scheme out')
        cases, left = copies.load(paths[0], truth, key, limit)
        seen = 'with the truth' if truth is not None else 'as a trainer has it, without truth'
        return Subject(f'an encrypted data set, {seen}', cases, left=left)
    if truth is not None or key is not None:
        raise SourceError('truth and key (--against, --key) go with a folder that hii-mm encrypt wrote')
    files = picture_files(paths, out) if paths else []
    if scheme is None:
        raise SourceError(
            f'{files[0] if files else "the images"}: plain, or encrypted with an unknown scheme? Give the scheme '
            '(--preset NAME, or options such as --gap 2) to try it on plain photos; say in addition if they are '
            'encrypted that way already (--encrypted); or name a folder that hii-mm encrypt wrote'
        )
    side = 0 if encrypted else size
    sizes = {name: (array.shape[0], array.shape[1]) for name, array in list(arrays.items())[:limit]}
    pictures, left = load_pictures(files, side, limit, sizes) if files else _load_arrays(arrays, side, limit)
    count = len(files) or len(arrays)
    if len(pictures) + len(left) < count:
        left.append(f'{count - len(pictures) - len(left)} more images (limit {limit})')
    if not pictures:
        raise NothingToAttackError(f'none of the images can be read: {"; ".join(left[:3])}')
    if encrypted:
        cases, refused = encrypted_pictures(pictures, scheme)
        return Subject('encrypted images, without truth', cases, left=left + refused)
    objects = None if annotations is None else read_objects(annotations, sizes, side)
    left += objects.left if objects else []
    return Subject('plain photos, encrypted to try a scheme', pictures=pictures, left=left, objects=objects)


def load_public(photos: Images, size: int, out: StrPath | None = None) -> tuple[list[np.ndarray], list[str]]:
    """Return public photos as squares of ``size``, (size, size, 3) uint8, and a line for each that cannot be read."""
    paths, arrays = _split(photos, empty=True)
    found, left = load_pictures(picture_files(paths, out), size) if paths else _load_arrays(arrays, size)
    return list(found.values()), left


def _split(images: Images, empty: bool = False) -> tuple[list[Path], dict[str, np.ndarray]]:
    """Return images as paths or as arrays by name; one of the two is empty.

    Raises:
        InvalidTypeError, SourceError: neither, both, or none at all.
    """
    if isinstance(images, (str, os.PathLike)):
        return [Path(images)], {}
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise InvalidTypeError('images must be paths or several arrays; put a single array into a list')
    given: list[tuple[Any, Any]] = list(images.items() if isinstance(images, Mapping) else enumerate(images))
    if not given and not empty:
        raise SourceError('there are no images to attack')
    if all(isinstance(image, (str, os.PathLike)) for _, image in given):
        return [Path(image) for _, image in given], {}
    for name, image in given:
        if not isinstance(image, np.ndarray):
            raise InvalidTypeError(f'images must be all paths or all arrays, got {type(image).__name__} for {name!r}')
        check_pixels(image)
    return [], {str(name): image for name, image in given}


def _load_arrays(
    arrays: Mapping[str, np.ndarray], size: int, limit: int | None = None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the first arrays, as squares of ``size`` unless that is 0."""
    chosen = list(arrays.items())[:limit]
    return {name: square(Image.fromarray(as_uint8(image)), size) if size else image for name, image in chosen}, []
