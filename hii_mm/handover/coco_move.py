"""Move COCO annotations with the pixels of their image. NumPy only."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..encryption import Plan, clip_polygon, fragment_boxes, move_points, move_polygon
from ..encryption.masks import within_boxes
from ..encryption.polygons import area as polygon_area
from ..errors import RejectedError
from . import rle
from .coco import ANNOTATION, Object, only
from .coco_frame import Coordinate, Frame
from .fit import Fit
from .parsing import fits

DIGITS = 2  # decimals of coordinates, as in COCO; more would reveal the place of a patch by the rounding of floats


def move(image: Object, rows: list[Object], fit: Fit, plan: Plan) -> tuple[Object, list[Object], Counter[str]]:
    """Return the entry and the annotations of one image after the encryption.

    Args:
        image: its plain entry.
        rows: its plain annotations.
        fit: of the image.
        plan: of the fitted image.

    Returns:
        The entry, the annotations, and how often what was left out.

    Raises:
        RejectedError: the image has another size than its entry.
    """
    if (image['height'], image['width']) != fit.plain_hw:
        h, w = fit.plain_hw
        raise RejectedError(
            f'the annotation file says {image["width"]} x {image["height"]} pixels, but the upright image has {w} x {h}'
        )
    h, w = plan.encrypted_shape
    mover, out = _Mover(fit, plan), []
    for row in rows:
        mover.dropped.update(f'annotations.{key}' for key in row if key not in ANNOTATION)
        out += mover.move(row)
    return dict(image, height=h, width=w), out, mover.dropped


class _Mover:
    """Moves the annotations of one image, and counts what is left out."""

    def __init__(self, fit: Fit, plan: Plan) -> None:
        self.fit, self.plan, self.shuffle = fit, plan, plan.shuffle
        self.frame, self.dropped = Frame(fit, plan), Counter[str]()

    def move(self, row: Object) -> list[Object]:
        """Return the annotations that one becomes."""
        box = self.frame.box(row.get('bbox')) if 'category_id' in row else None
        if box is None:
            self.dropped['annotations without a box inside the image'] += 1
            return []
        moved = self._fragments(row, box)
        if not moved:
            self.dropped['objects with nothing left'] += 1
        return moved

    def _fragments(self, row: Object, box: np.ndarray) -> list[Object]:
        base = only(row, ('image_id', 'category_id', 'iscrowd'))
        if self.shuffle is None:
            boxes = box[None]
            base = {**only(row, ('id',)), **base}
        else:
            boxes = fragment_boxes(self.shuffle, box)[0]
            base['instance_id'] = row.get('id')
        parts, areas = self._segmentations(row.get('segmentation'), boxes)
        points = self._keypoints(row.get('keypoints'), boxes)
        out = []
        for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            if self.shuffle is not None and parts is not None and row['segmentation'] and not areas[i]:
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
            found = self._polygons(segmentation, boxes)
        if found is None:
            self.dropped['segmentations that are neither polygons nor RLE of the image'] += 1
            return None, [0] * len(boxes)
        return found

    def _polygons(self, segmentation: Any, boxes: np.ndarray) -> tuple[list[Any], list[float]] | None:
        """Return the polygons of each box, and their areas."""
        outlines = self.frame.outlines(segmentation)
        if outlines is None:
            return None
        h, w = self.frame.limit_hw
        pieces = [xy for outline in outlines if len(xy := clip_polygon(outline, w, h))]
        if self.shuffle is not None:
            pieces = [part for piece in pieces for part in move_polygon(self.shuffle, piece)]
        parts: list[Any] = [[] for _ in boxes]
        areas: list[float] = [0] * len(boxes)
        for xy in pieces:
            index = 0 if self.shuffle is None else _owner(xy, boxes)
            if index is None:
                self.dropped['pieces of polygons outside of their box'] += 1
                continue
            parts[index].append([_short(v) for v in xy.ravel().tolist()])
            areas[index] += polygon_area(xy)
        return parts, areas

    def _masks(self, segmentation: Object, boxes: np.ndarray) -> tuple[list[Any], list[float]] | None:
        """Return one RLE for each box, of the part of the moved mask inside it, and their areas."""
        mask = rle.decode(segmentation, self.fit.plain_hw)
        if mask is None:
            return None
        mask = self.plan.apply_mask(self.fit.mask(mask))
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
        values = fits(given, list[Coordinate])
        if values is None or len(values) % 3:
            self.dropped['keypoints that are not triples of numbers'] += 1
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
        xy, (h, w) = self.frame.points(triples[:, :2]), self.frame.limit_hw
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
