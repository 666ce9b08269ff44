"""COCO annotations that follow their pictures. NumPy only.

Kept, and nothing else: of an image id, width, height and file_name; of an
annotation id, image_id, category_id, bbox, area, iscrowd, segmentation,
keypoints and num_keypoints; of a category id, name, supercategory, keypoints
and skeleton. A shuffled object becomes one annotation a fragment, with a new
id and the source's annotation id as ``instance_id``.
"""

import json
import os.path as osp
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ..encryption import MixupPlan, clip_polygon, fragment_boxes, move_points, move_polygon
from ..encryption.polygons import area as polygon_area
from . import rle
from .pictures import Reject

IMAGE = ('id', 'width', 'height', 'file_name')
ANNOTATION = (
    'id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd', 'segmentation', 'keypoints', 'num_keypoints',
)  # fmt: skip
MOST = 1e9  # pixels: a coordinate beyond is none
DIGITS = 2  # of a coordinate, as in COCO; more would tell where a patch was, by the rounding of floats
CATEGORY = ('id', 'name', 'supercategory', 'keypoints', 'skeleton')


@dataclass
class AnnotationFile:
    """One COCO json file.

    Attributes:
        name: its name in DST.
        prefix: the folder below SRC that its file names are relative to.
        categories: what is kept of them.
        images: {path below SRC: [(image, [annotations])]}.
        bad: {file name: why it is rejected}.
        dropped: how often which field was left out.
    """

    name: str
    prefix: str
    categories: list
    images: dict = field(default_factory=dict)
    bad: dict = field(default_factory=dict)
    dropped: Counter = field(default_factory=Counter)


def split(argument):
    """(path, folder below SRC or '') of ``FILE`` or ``FILE=FOLDER``; a file may have a '=' in its path."""
    path, equals, folder = argument.rpartition('=')
    if not equals or osp.isfile(argument):
        return argument, ''
    return path, folder.strip('/')


def read(argument):
    """The :class:`AnnotationFile` of ``--ann FILE`` or ``--ann FILE=FOLDER``.

    Raises:
        ValueError: no COCO json file.
    """
    path, prefix = split(argument)
    try:
        with open(path, encoding='utf-8') as file:
            data = json.load(file)
        if not isinstance(data, dict):
            raise ValueError(f'it holds a {type(data).__name__}, not an object')
        images, annotations, categories = (data.get(k, []) for k in ('images', 'annotations', 'categories'))
        if not all(isinstance(row, dict) for part in (images, annotations, categories) for row in part) or not images:
            raise ValueError("it has no list 'images'")
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f'--ann {path!r} is no COCO json file: {error}') from None
    if prefix and not all(part not in ('', '.', '..') for part in prefix.split('/')):
        raise ValueError(f'--ann {argument!r}: {prefix!r} is no folder below SRC')
    out = AnnotationFile(f'annotations/{osp.basename(path)}', prefix, [_only(row, CATEGORY) for row in categories])
    out.dropped.update(f'{key}' for key in data if key not in ('images', 'annotations', 'categories'))
    of_image = {}
    for row in annotations:
        of_image.setdefault(_id(row.get('image_id')), []).append(row)
    for number, image in enumerate(images):
        _take(out, number, image, of_image.pop(_id(image.get('id')), []))
    out.dropped['annotations of no image'] += sum(map(len, of_image.values()))
    return out


def _id(value):
    """An image's id, or None for what can be none."""
    return value if isinstance(value, (int, str)) else None


def _take(out, number, image, rows):
    """Add one image and its annotations to an :class:`AnnotationFile`."""
    name = image.get('file_name')
    sizes = [image.get(side) for side in ('height', 'width')]
    if not isinstance(name, str) or any(part in ('', '.', '..') for part in name.split('/')) or '\0' in name:
        # the name itself may be a path on the owner's disk, and rejects are handed over
        out.bad[f'{out.name}: images[{number}]'] = 'its file_name in the json is no path below SRC'
    elif not all(isinstance(side, int) and side > 0 for side in sizes) or _id(image.get('id')) is None:
        out.bad[osp.join(out.prefix, name)] = 'the json says no id, width or height of it'
    else:
        out.dropped.update(f'images.{key}' for key in image if key not in IMAGE)
        out.images.setdefault(osp.join(out.prefix, name), []).append((_only(image, IMAGE), rows))


def _only(row, names):
    return {name: row[name] for name in names if name in row}


def move(image, rows, fit, plans):
    """One image's entry and annotations, as they are after the encryption.

    Args:
        image (dict): its plain entry.
        rows (list[dict]): its plain annotations.
        fit: the :class:`hii_mm.handover.fit.Fit` of the picture.
        plans: the plan of each step.

    Returns:
        tuple: (entry, annotations, Counter of what was left out).

    Raises:
        Reject: the picture has another size than the json says.
    """
    if (image['height'], image['width']) != fit.plain_hw:
        h, w = fit.plain_hw
        raise Reject(
            f'the json says {image["width"]} x {image["height"]} pixels, and the upright picture has {w} x {h}'
        )
    h, w = plans[-1].encrypted_shape
    frame, dropped, out = _Frame(fit, plans), Counter(), []
    for row in rows:
        dropped.update(f'annotations.{key}' for key in row if key not in ANNOTATION)
        box = _box(row, frame)
        if box is None:
            dropped['annotations without a box within the picture'] += 1
            continue
        moved = _moved(row, box, frame, dropped)
        if not moved:
            dropped['objects of which nothing is left'] += 1
        out += moved
    return dict(image, height=h, width=w), out, dropped


class _Frame:
    """Coordinates before the last shuffle: plain -> fitted -> mixed.

    In a resized picture that is then shuffled they are whole pixels: a plain
    coordinate is a whole number or has two digits, so the digits of the scaled
    one would tell which row and column of patches it came from.
    """

    def __init__(self, fit, plans):
        self.fit, self.mix, self.shuffle, self.share = fit, None, None, 1
        h, w = fit.kept_hw
        for plan in plans:
            if isinstance(plan, MixupPlan):
                self.mix, self.share = plan, 1 / plan.parts
                h, w = min(h, plan.grid.fitted_shape[0]) / plan.parts, min(w, plan.grid.fitted_shape[1]) / plan.parts
            else:
                self.shuffle = plan
        self.limit_hw = h, w
        self.whole = self.shuffle is not None and fit.scaled_hw != fit.plain_hw

    def points(self, xy):
        """(n, 2) xy in the plain image -> after fit and mix."""
        xy = self.fit.points(xy) * self.share
        return np.rint(xy) if self.whole else xy

    def mask(self, mask):
        """(H, W) uint8 of the plain image -> after fit and mix: the value at the middle of each square."""
        mask = self.fit.mask(mask)
        if self.mix is None:
            return mask
        g = self.mix.parts
        return np.ascontiguousarray(self.mix.grid.fit(mask, pad_value=0)[g // 2 :: g, g // 2 :: g])


def _box(row, frame):
    """float64 (4,) xyxy after fit and mix, clipped; None where there is none."""
    bbox = row.get('bbox')
    if not (isinstance(bbox, list) and len(bbox) == 4 and 'category_id' in row and _numbers(bbox)):
        return None
    x, y, w, h = bbox
    box = np.clip(frame.points([[x, y], [x + w, y + h]]), 0, frame.limit_hw[::-1]).ravel()
    return box if box[0] < box[2] and box[1] < box[3] else None


def _numbers(values):
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < MOST for v in values)


def _moved(row, box, frame, dropped):
    """The annotations that one becomes."""
    base = _only(row, ('image_id', 'category_id', 'iscrowd'))
    if frame.shuffle is None:
        boxes = box[None]
        base = {**_only(row, ('id',)), **base}
    else:
        boxes = fragment_boxes(frame.shuffle, box)[0]
        base['instance_id'] = row.get('id')
    parts, areas = _segments(row, boxes, frame, dropped)
    points = _keypoints(row, boxes, frame, dropped)
    out = []
    for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        if frame.shuffle is not None and parts is not None and row['segmentation'] and not areas[i]:
            dropped['fragments of boxes that the outline does not reach'] += 1
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


def _short(value):
    """Rounded to ``DIGITS``; a whole number as an int, so that the file stays small."""
    value = round(value, DIGITS)
    return int(value) if value == int(value) else value


def _segments(row, boxes, frame, dropped):
    """The segmentation of each box, or None, and the area of each (0 where there is none)."""
    segmentation, none = row.get('segmentation'), [0] * len(boxes)
    if segmentation is None:
        return None, none
    try:
        if isinstance(segmentation, dict):
            return _masks(segmentation, boxes, frame)
        outlines = [frame.points(np.array(part, np.float64).reshape(-1, 2)) for part in segmentation]
        if not all(np.isfinite(xy).all() and len(xy) >= 3 for xy in outlines):
            raise ValueError('no outline')
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        dropped['segmentations that are neither polygons nor RLE of the picture'] += 1
        return None, none
    h, w = frame.limit_hw
    pieces = [xy for outline in outlines if len(xy := clip_polygon(outline, w, h))]
    if frame.shuffle is not None:
        pieces = [part for piece in pieces for part in move_polygon(frame.shuffle, piece)]
    parts, areas = [[] for _ in boxes], [0] * len(boxes)
    for xy in pieces:
        index = 0 if frame.shuffle is None else _owner(xy, boxes)
        if index is None:
            dropped['pieces of polygons outside of their box'] += 1
            continue
        parts[index].append([_short(v) for v in xy.ravel().tolist()])
        areas[index] += polygon_area(xy)
    return parts, areas


def _owner(xy, boxes, cell=None):
    """The index of the box that the middle of a piece lies in, and that reaches into ``cell`` (xyxy); or None."""
    x, y = (xy.min(0) + xy.max(0)) / 2
    inside = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
    if cell is not None:
        inside &= ((boxes[:, :2] < cell[2:]) & (boxes[:, 2:] > cell[:2])).all(1)
    return int(np.argmax(inside)) if inside.any() else None


def _masks(segmentation, boxes, frame):
    """One RLE a box, each with what of the moved mask lies in it, and their areas."""
    mask = frame.mask(rle.decode(segmentation, frame.fit.plain_hw))
    if frame.shuffle is not None:
        mask = frame.shuffle.apply(mask, pad_value=0)
    parts, areas = [], []
    for x1, y1, x2, y2 in boxes:
        inside = np.s_[int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))]
        part = mask
        if frame.shuffle is not None:
            part = np.zeros_like(mask)
            part[inside] = mask[inside]
        parts.append(rle.encode(part))
        areas.append(int(part.sum()))
    return parts, areas


def _keypoints(row, boxes, frame, dropped):
    """The keypoints of each box, [x, y, v, ...]; those that lie elsewhere are 0, 0, 0."""
    given = row.get('keypoints')
    if given is None:
        return None
    if not (isinstance(given, list) and len(given) % 3 == 0 and _numbers(given)):
        dropped['keypoints that are no triples of numbers'] += 1
        return None
    triples = np.array(given, np.float64).reshape(-1, 3)
    xy, h, w = frame.points(triples[:, :2]), *frame.limit_hw
    seen = (triples[:, 2] > 0) & (xy >= 0).all(1) & (xy[:, 0] < w) & (xy[:, 1] < h)
    owners = [0 if here else None for here in seen]
    if frame.shuffle is not None:
        pixels, _ = move_points(frame.shuffle, np.floor(xy) + 0.5)  # their middles: never on the border of a patch
        xy, kept = move_points(frame.shuffle, xy)
        seen &= kept
        size = np.array(frame.shuffle.core_size[::-1])
        cells = np.hstack([pixels // size * size, (pixels // size + 1) * size])
        owners = [_owner(xy[i][None], boxes, cells[i]) if here else None for i, here in enumerate(seen)]
    dropped['keypoints that were cut away'] += int((triples[:, 2] > 0).sum()) - sum(o is not None for o in owners)
    out = []
    for index in range(len(boxes)):
        values = [(*point, v) if owner == index else (0, 0, 0) for point, owner, v in zip(xy, owners, triples[:, 2])]
        out.append([_short(float(v)) for triple in values for v in triple])
    return out
