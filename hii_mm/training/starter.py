"""Look at somebody's own data: what :mod:`.starter_text` writes a first config for. No mm, no torch."""

from __future__ import annotations

import json
import os
import os.path as osp
from collections.abc import Iterator
from dataclasses import dataclass

from ..encryption import Scheme
from ..errors import HiiError, SourceError, UsageError
from ..files import StrPath
from ..handover import Manifest
from ..handover.layout import MANIFEST, copy_around
from ..images import header
from ..presets import name_of

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
LOOKED_AT = 200  # pictures of each part
Pair = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """Training or validation data.

    Attributes:
        folder: of the pictures.
        images: number of pictures.
        sizes: (h, w) of the first ones.
        scheme: of an encrypted copy; None for plain pictures.
        annotations: path of the COCO file below ``folder`` or beside it, for a detector.
    """

    folder: str
    images: int
    sizes: frozenset[Pair]
    scheme: Scheme | None
    annotations: str | None = None


@dataclass(frozen=True)
class Data:
    """What a folder holds.

    Attributes:
        train: training data.
        val: validation data, or None.
        classes: names, in the order of their labels.
    """

    train: Part
    val: Part | None
    classes: tuple[str, ...]


def look(folder: StrPath, task: str) -> Data:
    """Look at a data set.

    Args:
        folder: with ``train`` and perhaps ``val``, or the training data itself.
            For a classifier each holds one folder for each class. For a detector
            each holds pictures, with COCO files in ``annotations``, in ``folder``
            or in each part. Every part, or all together, may be a copy that
            ``hii-mm encrypt`` wrote.
        task: 'classifier' or 'detector'.

    Raises:
        SourceError: nothing that can be trained on; the message says what is expected.
        UsageError: training and validation that do not go together.
    """
    root = os.fspath(folder)
    if not osp.isdir(root):
        raise SourceError(f'folder not found: {root!r}')
    split = osp.isdir(osp.join(root, 'train'))
    folders = [osp.join(root, name) for name in ('train', 'val')] if split else [root]
    parts = [_part(part, root, task) for part in folders if osp.isdir(part)]
    train, val = parts[0], parts[1] if len(parts) > 1 else None
    if val and label(val.scheme) != label(train.scheme):
        raise UsageError(f'{train.folder} is {label(train.scheme)}, but {val.folder} is {label(val.scheme)}')
    classes = _folders(train.folder) if task == 'classifier' else _categories(str(train.annotations))
    if val and task == 'classifier' and _folders(val.folder) != classes:
        raise UsageError(f'{val.folder} holds the classes {_folders(val.folder)}, but {train.folder} holds {classes}')
    return Data(train, val, tuple(classes))


def _part(folder: str, root: str, task: str) -> Part:
    """Look at training or validation data."""
    own = osp.isfile(osp.join(folder, MANIFEST))  # also a damaged one
    copy = folder if own else copy_around(folder)  # one copy may hold train and val
    settings = None if copy is None else Manifest(copy).settings
    scheme = None if settings is None else settings.scheme
    if settings is not None and settings.format == 'shards':
        raise SourceError(f'{folder} is in shards, which mm does not read: encrypt with --format png for mm')
    pictures = list(_pictures(folder))
    if not pictures:
        raise SourceError(f'no pictures in {folder!r}')
    sizes = set()
    for path in pictures[:: max(1, len(pictures) // LOOKED_AT)]:
        try:
            sizes.add(header(osp.realpath(osp.dirname(path)), osp.basename(path))[0])
        except HiiError:
            continue
    if task == 'classifier' and len(_folders(folder)) < 2:
        raise SourceError(f'{folder!r} must hold one folder for each of two or more classes, got {_folders(folder)}')
    annotations = _annotations(folder, root) if task == 'detector' else None
    return Part(folder, len(pictures), frozenset(sizes), scheme, annotations)


def _pictures(folder: str) -> Iterator[str]:
    """Yield the paths of the pictures below a folder, in order."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith('.') and name != 'annotations')
        yield from (osp.join(place, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


def _folders(folder: str) -> list[str]:
    """Return the names of the folders in a folder: the classes."""
    with os.scandir(folder) as found:
        return sorted(each.name for each in found if each.is_dir() and not each.name.startswith('.'))


def _annotations(folder: str, root: str) -> str:
    """Return the path of the COCO file of a part.

    Raises:
        SourceError: none, or several.
    """
    name = osp.basename(folder)
    own = osp.join(folder, 'annotations')
    found = sorted(osp.join(own, file) for file in os.listdir(own) if file.endswith('.json')) if osp.isdir(own) else []
    if not found:
        near = osp.join(root, 'annotations')
        files = sorted(os.listdir(near)) if osp.isdir(near) else []
        found = [osp.join(near, file) for file in files if file.endswith('.json') and name in file]
    if len(found) != 1:
        raise SourceError(
            f'expected one COCO file for {folder!r}, in its annotations folder or named after it in '
            f'{osp.join(root, "annotations")!r}; got {", ".join(map(osp.basename, found)) or "none"}'
        )
    return found[0]


def _categories(path: str) -> list[str]:
    """Return the names of the categories of a COCO file, by id."""
    try:
        with open(path, encoding='utf-8') as file:
            categories = json.load(file)['categories']
        return [str(each['name']) for each in sorted(categories, key=lambda each: each['id'])]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f'{path!r} is not a COCO file: {error!r}') from None


def label(scheme: Scheme | None) -> str:
    """Return 'plain', or how pictures are encrypted, with the preset that it is."""
    if scheme is None:
        return 'plain'
    name = name_of(scheme)
    return f'encrypted with {scheme.label}' + (f' (preset {name})' if name else '')
