"""Move COCO annotations with the pixels of their image. NumPy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET

from ..encryption import Plan, clip_polygon, fragment_boxes, move_points, move_polygon
from ..encryption.masks import within_boxes
from ..errors import RejectedError
from . import outlines, rle
from .coco import Numbered
from .coco_frame import Frame
from .coco_schema import ANNOTATION, Annotation, Keypoints, Object, checked
from .fit import Fit
from .parsing import fits

NOT_VALID = 'annotations that are not valid'
BAD_SEGMENTATION = 'segmentations that are neither polygons nor RLE of the image'
INTRICATE = 'segmentations whose outlines cross each other too often'
BAD_KEYPOINTS = 'keypoints that are not triples x, y, v with v 0, 1 or 2'
DIGITS = 2  # decimals of coordinates, as in COCO; more would reveal the place of a patch by the rounding of floats


class Moved(NamedTuple):
    """One image after the encryption.

    Attributes:
        image: its entry.
        rows: its annotations; ``instance_id`` counts the objects of the image from 1.
        dropped: how often what was left out.
        odd: (index in the COCO file, what is wrong) of malformed annotations.
    """

    image: Object
    rows: list[Object]
    dropped: Counter[str]
    odd: list[tuple[int, str]]


def move(image: Object, rows: Iterable[Numbered], fit: Fit, plan: Plan, boxes_frame: str = 'upright') -> Moved:
    """Return the entry and the annotations of one image after the encryption.

    Args:
        image: its plain entry.
        rows: its plain annotations, each with its index in the COCO file.
        fit: of the image.
        plan: of the fitted image.
        boxes_frame: of the :class:`.settings.Settings`.

    Raises:
        RejectedError: the image has another size than its entry.
    """
    check_size(image, fit, boxes_frame)
    h, w = plan.encrypted_shape
    mover, out = _Mover(Frame(fit, plan, boxes_frame == 'raw')), []
    for index, row in rows:
        out += mover.move(index, row)
    return Moved(dict(image, height=h, width=w), out, mover.dropped, mover.odd)


def check_size(image: Object, fit: Fit, boxes_frame: str) -> None:
    """Check that an image has the size of its entry.

    Raises:
        RejectedError: it has another one; the message names the option for a rotated image.
    """
    sizes = {'upright': fit.plain_hw, 'raw': fit.raw_hw}
    other = 'raw' if boxes_frame == 'upright' else 'upright'
    given = image['height'], image['width']
    if given == sizes[boxes_frame]:
        return
    h, w = sizes[boxes_frame]
    remedy = f'; its EXIF orientation is {fit.orientation}: use --boxes-frame {other} if its boxes refer to that size'
    raise RejectedError(
        f'the annotation file says {image["width"]} x {image["height"]} pixels, but the {boxes_frame} image has '
        f'{w} x {h}' + (remedy if given == sizes[other] else '')
    )


class _Mover:
    """Moves the annotations of one image, and counts what is left out."""

    def __init__(self, frame: Frame) -> None:
        self.frame, self.plan, self.shuffle = frame, frame.plan, frame.plan.shuffle
        self.dropped, self.odd, self._objects, self._index = Counter[str](), list[tuple[int, str]](), 0, 0

    def _malformed(self, what: str, why: str) -> None:
        """Count what is left out of the present annotation, and say why."""
        self.dropped[what] += 1
        self.odd.append((self._index, why))

    def move(self, index: int, row: Object) -> list[Object]:
        """Return the annotations that one becomes."""
        self._index = index
        self.dropped.update(f'annotations.{key}' for key in row if key not in ANNOTATION)
        given = checked(row, Annotation)
        if isinstance(given, str):
            self._malformed(NOT_VALID, f'left out: {given}')
            return []
        box = self.frame.box(given.bbox)
        if box is None:
            self.dropped['annotations without a box inside the image'] += 1
            return []
        moved = self._fragments(given, box)
        if not moved:
            self.dropped['objects with nothing left'] += 1
        return moved

    def _fragments(self, given: Annotation, box: np.ndarray) -> list[Object]:
        base: Object = {'image_id': given.image_id, 'category_id': given.category_id}
        if given.iscrowd is not UNSET:
            base['iscrowd'] = int(given.iscrowd)
        if self.shuffle is None:
            boxes = box[None]
            base = base if given.id is UNSET else {'id': given.id, **base}
        else:
            boxes = fragment_boxes(self.shuffle, box)[0]
            self._objects += 1
            base['instance_id'] = self._objects
        parts, areas = self._segmentations(given.segmentation, boxes)
        points = self._keypoints(given.keypoints, boxes)
        out = []
        for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            if self.shuffle is not None and parts is not None and given.segmentation and not areas[i]:
                self.dropped['fragments of boxes that the outline does not reach'] += 1
                continue
            entry = dict(base, bbox=[_short(v) for v in (x1, y1, x2 - x1, y2 - y1)])
            entry['area'] = _short(areas[i] or (x2 - x1) * (y2 - y1))
            if parts is not None:
                entry['segmentation'] = parts[i]
            if points is not None:
                entry['keypoints'] = points[i]
                entry['num_keypoints'] = sum(v > 0 for v in points[i][2::3])
            out.append(entry)
        return out

    def _segmentations(self, segmentation: Any, boxes: np.ndarray) -> tuple[list[Any] | None, list[float]]:
        """Return the segmentation of each box, or None, and the area of each, 0 where there is none."""
        if segmentation is None:
            return None, [0] * len(boxes)
        if isinstance(segmentation, dict):
            found = self._masks(segmentation, boxes)
        else:
            try:
                found = self._polygons(segmentation, boxes)
            except outlines.TooIntricateError:
                self._malformed(INTRICATE, 'its segmentation is left out: its outlines cross each other too often')
                return None, [0] * len(boxes)
        if found is None:
            self._malformed(BAD_SEGMENTATION, 'its segmentation is left out: neither polygons nor RLE of the image')
            return None, [0] * len(boxes)
        return found

    def _polygons(self, segmentation: Any, boxes: np.ndarray) -> tuple[list[Any], list[float]] | None:
        """Return the polygons of each box, and the area that they cover."""
        given = self.frame.outlines(segmentation)
        if given is None:
            return None
        h, w = self.frame.limit_hw
        pieces = [xy for outline in given if len(xy := clip_polygon(outline, w, h))]
        measure = outlines.measure_for(pieces)
        if self.shuffle is not None:
            pieces = [part for piece in pieces for part in move_polygon(self.shuffle, piece)]
        parts: list[Any] = [[] for _ in boxes]
        owned: list[list[np.ndarray]] = [[] for _ in boxes]
        for xy in pieces:
            index = 0 if self.shuffle is None else _owner(xy, boxes)
            if index is None:
                self.dropped['pieces of polygons outside of their box'] += 1
                continue
            parts[index].append([_short(v) for v in xy.ravel().tolist()])
            owned[index].append(xy)
        return parts, [measure(group) for group in owned]

    def _masks(self, segmentation: Object, boxes: np.ndarray) -> tuple[list[Any], list[float]] | None:
        """Return one RLE for each box, of the part of the moved mask inside it, and their areas."""
        mask = rle.decode(segmentation, self.frame.given_hw)
        if mask is None:
            return None
        mask = self.plan.apply_mask(self.frame.mask(mask))
        parts: list[Any] = []
        areas: list[float] = []
        for box in boxes:
            part = mask if self.shuffle is None else within_boxes(mask, box[None])[0]
            parts.append(rle.encode(part))
            areas.append(int(part.sum()))
        return parts, areas

    def _keypoints(self, given: Any, boxes: np.ndarray) -> list[list[float]] | None:
        """Return the keypoints [x, y, v, ...] of each box, where those of other boxes are 0, 0, 0; or None."""
        if given is None:
            return None
        values = fits(given, Keypoints)
        if values is None or len(values) % 3 or not {0, 1, 2}.issuperset(values[2::3]):
            self._malformed(BAD_KEYPOINTS, 'its keypoints are left out: not triples x, y, v with v 0, 1 or 2')
            return None
        triples = np.array(values, np.float64).reshape(-1, 3)
        xy, owners = self._owners(triples, boxes)
        visible = int((triples[:, 2] > 0).sum())
        self.dropped['keypoints that were cut away'] += visible - sum(o is not None for o in owners)
        out = []
        for index in range(len(boxes)):
            kept = [(*point, v) if owner == index else (0, 0, 0) for point, owner, v in zip(xy, owners, triples[:, 2])]
            out.append([_short(float(v)) for triple in kept for v in triple])
        return out

    def _owners(self, triples: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, list[int | None]]:
        """Return the moved points (n, 2), and the index of the box of each, None for those that are lost."""
        xy, (h, w) = self.frame.pixels(triples[:, :2]), self.frame.limit_hw
        seen = (triples[:, 2] > 0) & (xy >= 0).all(1) & (xy[:, 0] < w) & (xy[:, 1] < h)
        if self.shuffle is None:
            return xy, [0 if here else None for here in seen]
        middles, _ = move_points(self.shuffle, np.floor(xy) + 0.5)  # middles of pixels: never on the border of a patch
        xy, kept = move_points(self.shuffle, xy)
        size = np.array(self.shuffle.core_size[::-1])
        cells = np.hstack([middles // size * size, (middles // size + 1) * size])
        return xy, [_owner(xy[i][None], boxes, cells[i]) if here else None for i, here in enumerate(seen & kept)]


def _owner(xy: np.ndarray, boxes: np.ndarray, cell: np.ndarray | None = None) -> int | None:
    """Return the index of the box around the middle of a piece (n, 2) that also reaches into ``cell`` (xyxy)."""
    x, y = (xy.min(0) + xy.max(0)) / 2
    inside = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
    if cell is not None:
        inside &= ((boxes[:, :2] < cell[2:]) & (boxes[:, 2:] > cell[:2])).all(1)
    return int(np.argmax(inside)) if inside.any() else None


def _short(value: float) -> float:
    """Round to ``DIGITS`` decimals; whole numbers become int, which keeps the file small."""
    value = round(value, DIGITS)
    return int(value) if value == int(value) else value
