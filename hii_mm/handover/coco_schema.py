"""The part of a COCO file that enters a copy: types, limits and the fields that are kept.

Everything that the trainer can read of a COCO file is either one of the fields
of :class:`Image`, :class:`Annotation` and :class:`Category`, of the type and
within the limits given here, or is computed anew: coordinates, areas, run
lengths, ``num_keypoints`` and ``instance_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_COORDINATE = 1e9  # pixels
_INT64 = 1 << 63
Object = dict[str, Any]
Coordinate = Annotated[float, Meta(gt=-MAX_COORDINATE, lt=MAX_COORDINATE)]
Id = Annotated[int, Meta(ge=-_INT64, le=_INT64 - 1)]
Side = Annotated[int, Meta(gt=0, lt=1 << 31)]
T = TypeVar('T')


class File(msgspec.Struct):
    """A COCO file. Single images and annotations may be malformed, so they stay dicts."""

    images: Annotated[list[Object], Meta(min_length=1)]
    annotations: list[Object] = []
    categories: list[Object] = []


class Image(msgspec.Struct):
    """An image entry, without its ``file_name``, which is checked as a path."""

    id: Id | str
    width: Side
    height: Side


class Bbox(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A COCO bbox."""

    x: Coordinate
    y: Coordinate
    w: Coordinate
    h: Coordinate


Outlines = list[Annotated[list[Coordinate], Meta(min_length=6)]]
Keypoints = list[Coordinate]


class Annotation(msgspec.Struct):
    """An annotation. Its segmentation and its keypoints may be malformed and are checked where they are moved.

    ``area`` and ``num_keypoints`` are computed anew.
    """

    image_id: Id | str
    category_id: Id
    bbox: Bbox
    id: Id | UnsetType = UNSET
    iscrowd: Literal[0, 1] | bool | UnsetType = UNSET
    segmentation: Any = None
    keypoints: Any = None


class Category(msgspec.Struct, omit_defaults=True):
    """A category; what is missing stays missing."""

    id: Id
    name: str | UnsetType = UNSET
    supercategory: str | None | UnsetType = UNSET
    keypoints: list[str] | UnsetType = UNSET
    skeleton: list[tuple[Id, Id]] | UnsetType = UNSET


class Rle(msgspec.Struct):
    """Run lengths. That they fill the image is checked where they are decoded."""

    size: tuple[Side, Side]
    counts: str | list[Annotated[int, Meta(ge=0, lt=1 << 31)]]


IMAGE = ('id', 'width', 'height', 'file_name')
ANNOTATION = (*Annotation.__struct_fields__, 'area', 'num_keypoints')
CATEGORY = Category.__struct_fields__


def only(row: Mapping[str, Any], names: Iterable[str]) -> Object:
    """Return some of the values of a row, in the order of the names."""
    return {name: row[name] for name in names if name in row}


def checked(row: Any, kind: type[T]) -> T | str:
    """Return a row as a type, or what is wrong with it."""
    try:
        return msgspec.convert(row, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        return str(problem)
