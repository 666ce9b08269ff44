"""Fit pieces together by fragments of objects: a box or outline that ends at a side goes on in the neighbour.

NumPy and Pillow. Every object is drawn on the encrypted image, its boxes and
its outlines each for themselves, at ``FINE`` steps a pixel. Two pieces fit if
the profiles of the same object along their common side agree: the object
covers the same part of both. An object at one side that is not at the other
one speaks against the pair, more so the smaller the gap is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ...encryption.turns import turn
from ...handover import rle
from .pieces import cut

FINE = 4  # steps a pixel
WHOLE, PARTIAL = 1.0, 4.0  # log-odds of profiles that agree: all of the side covered, and a part
OFF = 1.5  # log-odds against, for each pixel by which profiles differ, without a gap
MISSING = 4.0  # log-odds against an object that is at one of the two sides only, without a gap
MOST = 8.0  # log-odds against, at most


class Layer(NamedTuple):
    """The fragments of one object on all items.

    Attributes:
        exact: a box, whose sides are straight; otherwise an outline or a mask.
        item: int (m,), the items that show the object.
        left, right: float32 (m, L), how much of each step along the side is covered.
    """

    exact: bool
    item: np.ndarray
    left: np.ndarray
    right: np.ndarray


def layers(
    annotations: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    grid: tuple[int, int],
    codes: Sequence[int],
    upright: bool = False,
) -> list[Layer]:
    """Return the fragments of all objects.

    Args:
        annotations: as COCO has them, in the encrypted frame; fragments of one object share
            ``instance_id`` or, where there is none, ``category_id``.
        size: (h, w) of the encrypted image.
        grid: (rows, columns) of its pieces.
        codes: turns that each piece may need; items are pieces times turns.
        upright: mirror pieces at the diagonal: what is below them then is right of them.
    """
    found = []
    for exact, canvas in _drawn(annotations, size):
        fine = cut(canvas[..., None], grid)[..., 0]
        seen = np.nonzero(fine.any(axis=(1, 2)))[0]
        part = (fine[seen].swapaxes(1, 2) if upright else fine[seen]).astype(np.float32)
        sides = [(turned[:, :, 0], turned[:, :, -1]) for turned in (turn(part, code) for code in codes)]
        left, right = (np.stack(side, axis=1).reshape(len(seen) * len(codes), -1) for side in zip(*sides))
        found.append(Layer(exact, (seen[:, None] * len(codes) + np.arange(len(codes))).ravel(), left, right))
    return found


def fragment_scores(found: Sequence[Layer], items: int, gap: int) -> np.ndarray:
    """Return the log-odds that item j is right of item i: float32 (items, items)."""
    scores = np.zeros((items, items), np.float32)
    for layer in found:
        a, b = layer.right.any(axis=1), layer.left.any(axis=1)
        ends, starts = layer.item[a], layer.item[b]
        alone = MISSING / (1 + gap) / (1 if layer.exact else 2)
        scores[ends] -= alone
        scores[:, starts] -= alone
        one, two = layer.right[a], layer.left[b]
        off = np.abs(one[:, None] - two).sum(axis=2) / FINE  # pixels
        full = np.logical_and.outer(one.all(axis=1), two.all(axis=1))
        agree = np.where(full, WHOLE, PARTIAL)
        each = OFF if layer.exact else OFF / (1 + gap)
        scores[np.ix_(ends, starts)] += 2 * alone + np.maximum(agree - each * off, -MOST)
    return scores


def _drawn(annotations: Sequence[Mapping[str, Any]], size: tuple[int, int]) -> Iterator[tuple[bool, np.ndarray]]:
    """Yield, for each object, its boxes and its outlines: (are these boxes, bool (h * FINE, w * FINE))."""
    objects: dict[Any, list[Mapping[str, Any]]] = {}
    for row in annotations:
        known = row.get('instance_id')
        objects.setdefault(('category', row.get('category_id')) if known is None else known, []).append(row)
    for rows in objects.values():
        yield True, _boxes([row['bbox'] for row in rows if row.get('bbox')], size)
        outlined = [row['segmentation'] for row in rows if row.get('segmentation')]
        if outlined:
            yield False, _outlines(outlined, size)


def _boxes(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    canvas = np.zeros((size[0] * FINE, size[1] * FINE), bool)
    for x, y, w, h in boxes:
        left, top, right, bottom = (round(value * FINE) for value in (x, y, x + w, y + h))
        canvas[max(0, top) : bottom, max(0, left) : right] = True
    return canvas


def _outlines(segmentations: Sequence[Any], size: tuple[int, int]) -> np.ndarray:
    sheet = Image.new('1', (size[1] * FINE, size[0] * FINE))
    pen, masks = ImageDraw.Draw(sheet), np.zeros(size, bool)
    for each in segmentations:
        if isinstance(each, Mapping):
            mask = rle.decode(dict(each), size)
            masks |= False if mask is None else mask.astype(bool)
            continue
        for outline in each:
            xy = np.asarray(outline, float).reshape(-1, 2) * FINE - 0.5  # middles of steps have whole numbers
            if len(xy) > 2:
                pen.polygon([tuple(point) for point in xy.tolist()], fill=1)
    return np.asarray(sheet, bool) | masks.repeat(FINE, 0).repeat(FINE, 1)
