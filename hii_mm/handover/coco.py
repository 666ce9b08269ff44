"""Read COCO annotation files.

What is kept of them is decided in :mod:`.coco_schema`; everything else is left
out and counted. A shuffled object becomes one annotation for each fragment,
with a new id and an ``instance_id`` that counts the objects.
:mod:`.coco_move` moves the annotations.
"""

from __future__ import annotations

import os
import os.path as osp
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..errors import UsageError
from ..files import StrPath, open_regular
from .coco_schema import CATEGORY, IMAGE, Category, File, Image, Object, only
from .layout import ANNOTATIONS, safe_name
from .parsing import convert, fits, parse

Numbered = tuple[int, Object]  # an annotation, and its index in the file
_SHOWN = 5  # ids in a message


@dataclass
class AnnotationFile:
    """A COCO file.

    Attributes:
        path: of the file.
        name: its path in DST.
        prefix: folder below SRC that its file names are relative to, or ''.
        categories: what is kept of them.
        images: ``{path below SRC: [(image entry, its annotations with their index in the file)]}``.
        bad: ``{file name: why it is rejected}``.
        dropped: how often what was left out.
    """

    path: str
    name: str
    prefix: str
    categories: list[Object]
    images: dict[str, list[tuple[Object, list[Numbered]]]] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)


def split(argument: StrPath) -> tuple[str, str]:
    """Return (path, folder below SRC or '') of ``FILE`` or ``FILE=FOLDER``; the path of a file may contain '='."""
    argument = os.fspath(argument)
    path, equals, folder = argument.rpartition('=')
    if not equals or osp.isfile(argument):
        return argument, ''
    return path, folder.strip('/')


def read_all(arguments: Sequence[StrPath]) -> list[AnnotationFile]:
    """Read COCO files, each named as ``FILE`` or ``FILE=FOLDER``.

    Raises:
        UsageError: not a COCO file, or two files of one name.
    """
    found = [read(argument) for argument in arguments]
    names = Counter(part.name for part in found)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise UsageError(f'two annotation files would both be written to {twice!r}; rename one of them')
    return found


def read(argument: StrPath) -> AnnotationFile:
    """Read a COCO file, named as ``FILE`` or ``FILE=FOLDER``.

    Raises:
        UsageError: not a COCO file.
    """
    path, prefix = split(argument)
    if prefix and not safe_name(prefix):
        raise UsageError(f'annotation file {os.fspath(argument)!r}: {prefix!r} is not a folder below SRC')
    what = f'{path!r} is not a COCO file'
    try:
        with open_regular(path) as file:
            data = parse(file.read(), Object, what, UsageError)
    except OSError as error:
        raise UsageError(f'annotation file {path!r} cannot be read: {error.strerror}') from None
    content = convert(data, File, what, UsageError)
    _check_ids(content, path)
    out = AnnotationFile(path, f'{ANNOTATIONS}/{osp.basename(path)}', prefix, [])
    out.categories = _categories(content.categories, what)
    out.dropped.update(key for key in data if key not in File.__struct_fields__)
    out.dropped.update(f'categories.{key}' for row in content.categories for key in row if key not in CATEGORY)
    of_image: dict[int | str | None, list[Numbered]] = {}
    for index, row in enumerate(content.annotations):
        of_image.setdefault(_id(row.get('image_id')), []).append((index, row))
    for number, image in enumerate(content.images):
        _add_image(out, number, image, of_image.pop(_id(image.get('id')), []))
    out.dropped['annotations of no image'] += sum(map(len, of_image.values()))
    return out


def _id(value: Any) -> int | str | None:
    """Return an id, or None for a value that cannot be one."""
    return value if type(value) in (int, str) else None


def _check_ids(content: File, path: str) -> None:
    """Check that no two images, annotations or categories have the same id.

    Raises:
        UsageError: naming the entries.
    """
    for kind, rows in (
        ('images', content.images),
        ('annotations', content.annotations),
        ('categories', content.categories),
    ):
        first: dict[int | str, int] = {}
        twice = []
        for index, row in enumerate(rows):
            value = _id(row.get('id'))
            if value is not None and first.setdefault(value, index) != index:
                twice.append(f'{kind}[{first[value]}] and {kind}[{index}] are both {value!r}')
        if twice:
            more = f', and {len(twice) - _SHOWN} more' if len(twice) > _SHOWN else ''
            raise UsageError(
                f'annotation file {path!r}: ids must be unique, but {", ".join(twice[:_SHOWN])}{more}; '
                'correct the file before it is encrypted'
            )
    lacking = [index for index, row in enumerate(content.annotations) if 'id' not in row]
    if lacking and len(lacking) != len(content.annotations):
        raise UsageError(
            f'annotation file {path!r}: {len(lacking)} annotations have no id, the first is annotations[{lacking[0]}]; '
            'either all of them must have one, or none'
        )


def _categories(rows: Iterable[Object], what: str) -> list[Object]:
    """Return what is kept of the categories.

    Raises:
        UsageError: a category of another type.
    """
    kept = (
        convert(only(row, CATEGORY), Category, f'{what}: categories[{i}]', UsageError) for i, row in enumerate(rows)
    )
    return [msgspec.to_builtins(row) for row in kept]


def _add_image(out: AnnotationFile, number: int, image: Object, rows: list[Numbered]) -> None:
    """Add one image and its annotations."""
    name = image.get('file_name')
    if not safe_name(name):
        # the name itself may be a path on the owner's disk, and the trainer sees the rejects
        out.bad[f'{out.name}: images[{number}]'] = 'its file_name is not a path below SRC'
    elif fits(image, Image) is None:
        out.bad[osp.join(out.prefix, name)] = 'the annotation file lacks its id, width or height'
    else:
        out.dropped.update(f'images.{key}' for key in image if key not in IMAGE)
        out.images.setdefault(osp.join(out.prefix, name), []).append((only(image, IMAGE), rows))
