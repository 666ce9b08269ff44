"""Annotations of plain photographs, which move with their patches when a scheme is tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from ...encryption import Plan
from ...errors import RejectedError
from ...files import StrPath
from ...handover import coco, coco_move
from ...handover.coco_schema import Object
from ...handover.fit import Fit

HW = tuple[int, int]
Entry = tuple[Object, list[coco.Numbered]]  # of an image, and its annotations


@dataclass(frozen=True)
class Objects:
    """Boxes and outlines of plain pictures.

    Attributes:
        entries: ``{name of the picture: (its COCO entry, its annotations)}``.
        fits: ``{name: how the picture was cut out of its file}``.
        left: one line for each picture whose annotations cannot be used.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    fits: Mapping[str, Fit] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def moved(self, name: str, plan: Plan) -> list[dict[str, Any]]:
        """Return the annotations of a picture as a trainer has them: fragments of boxes and outlines.

        They are moved as ``hii-mm encrypt`` moves them.

        Args:
            name: of the picture.
            plan: that it was encrypted with.
        """
        if name not in self.entries:
            return []
        image, rows = self.entries[name]
        return coco_move.move(image, rows, self.fits[name], plan).rows


def read_objects(file: StrPath, sizes: Mapping[str, HW], side: int = 0) -> Objects:
    """Return the annotations of pictures from a COCO file.

    An entry belongs to the picture of the same file name, without folder and suffix.

    Args:
        file: of COCO annotations of the plain files, upright.
        sizes: ``{name of a picture: (h, w) of its file, upright}``.
        side: of the middle square that pictures were cut to, in pixels; 0 for whole ones.

    Raises:
        UsageError: not a COCO file.
    """
    by_stem: dict[str, list[Entry]] = {}
    for path, entries in coco.read(file).images.items():
        by_stem.setdefault(PurePath(path).stem, []).extend(entries)
    entries_of: dict[str, Entry] = {}
    fits: dict[str, Fit] = {}
    left = []
    for name, size in sizes.items():
        found = by_stem.get(name) or by_stem.get(PurePath(name).stem, [])  # a name may be a path
        fit = square_fit(size, side) if side else Fit(size, size, (0, 0), size)
        try:
            if len(found) > 1:
                raise RejectedError(f'{len(found)} entries have its file name')
            for image, rows in found:
                coco_move.check_size(image, fit, 'upright')
                entries_of[name], fits[name] = (image, rows), fit
        except RejectedError as error:
            left.append(f'annotations of {name}: {error}')
    return Objects(entries_of, fits, left)


def square_fit(size: HW, side: int) -> Fit:
    """Return how a picture of (h, w) becomes its middle square of ``side``, as :func:`.photos.square` cuts it."""
    least = min(size)
    scaled = (round(size[0] * side / least), round(size[1] * side / least))
    offset = (round((size[0] - least) // 2 * side / least), round((size[1] - least) // 2 * side / least))
    return Fit(size, scaled, offset, (side, side))
