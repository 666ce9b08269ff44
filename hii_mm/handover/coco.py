"""Read COCO annotation files.

Kept are: of an image id, width, height and file_name; of an annotation id,
image_id, category_id, bbox, area, iscrowd, segmentation, keypoints and
num_keypoints; of a category id, name, supercategory, keypoints and skeleton.
Everything else is left out and counted. A shuffled object becomes one
annotation for each fragment, with a new id and the id of the source's
annotation as ``instance_id``. :mod:`.coco_move` moves the annotations.
"""

from __future__ import annotations

import os
import os.path as osp
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from ..errors import UsageError
from ..files import StrPath
from .layout import ANNOTATIONS, safe_name
from .parsing import convert, fits, parse

IMAGE = ('id', 'width', 'height', 'file_name')
ANNOTATION = (
    'id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd', 'segmentation', 'keypoints', 'num_keypoints',
)  # fmt: skip
CATEGORY = ('id', 'name', 'supercategory', 'keypoints', 'skeleton')
Object = dict[str, Any]


class _File(msgspec.Struct):
    """A COCO file. Single images and annotations may be odd, so they stay dicts."""

    images: Annotated[list[Object], msgspec.Meta(min_length=1)]
    annotations: list[Object] = []
    categories: list[Object] = []


class _Image(msgspec.Struct):
    """What an image entry must have."""

    id: int | str
    width: Annotated[int, msgspec.Meta(gt=0)]
    height: Annotated[int, msgspec.Meta(gt=0)]


@dataclass
class AnnotationFile:
    """A COCO file.

    Attributes:
        path: of the file.
        name: its path in DST.
        prefix: folder below SRC that its file names are relative to, or ''.
        categories: what is kept of them.
        images: ``{path below SRC: [(image entry, its annotations)]}``.
        bad: ``{file name: why it is rejected}``.
        dropped: how often what was left out.
    """

    path: str
    name: str
    prefix: str
    categories: list[Object]
    images: dict[str, list[tuple[Object, list[Object]]]] = field(default_factory=dict)
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
        with open(path, 'rb') as file:
            data = parse(file.read(), Object, what, UsageError)
    except OSError as error:
        raise UsageError(f'annotation file {path!r} cannot be read: {error.strerror}') from None
    content = convert(data, _File, what, UsageError)
    out = AnnotationFile(path, f'{ANNOTATIONS}/{osp.basename(path)}', prefix, [])
    out.categories = [only(row, CATEGORY) for row in content.categories]
    out.dropped.update(key for key in data if key not in _File.__struct_fields__)
    of_image: dict[int | str | None, list[Object]] = {}
    for row in content.annotations:
        of_image.setdefault(_id(row.get('image_id')), []).append(row)
    for number, image in enumerate(content.images):
        _add_image(out, number, image, of_image.pop(_id(image.get('id')), []))
    out.dropped['annotations of no image'] += sum(map(len, of_image.values()))
    return out


def _id(value: Any) -> int | str | None:
    """Return the id of an image, or None for a value that cannot be one."""
    return value if isinstance(value, (int, str)) else None


def _add_image(out: AnnotationFile, number: int, image: Object, rows: list[Object]) -> None:
    """Add one image and its annotations."""
    name = image.get('file_name')
    if not safe_name(name):
        # the name itself may be a path on the owner's disk, and the trainer sees the rejects
        out.bad[f'{out.name}: images[{number}]'] = 'its file_name is not a path below SRC'
    elif fits(image, _Image) is None:
        out.bad[osp.join(out.prefix, name)] = 'the annotation file lacks its id, width or height'
    else:
        out.dropped.update(f'images.{key}' for key in image if key not in IMAGE)
        out.images.setdefault(osp.join(out.prefix, name), []).append((only(image, IMAGE), rows))


def only(row: Mapping[str, Any], names: Iterable[str]) -> Object:
    """Return some of the values of a row, in the order of the names."""
    return {name: row[name] for name in names if name in row}
