"""The area that outlines cover together. NumPy only.

As in COCO, a point counts as covered if it lies inside an odd number of turns
of at least one outline: overlapping outlines count once, and an outline that
crosses itself or runs back along a ring leaves out what it surrounds twice.
The area is exact but for rounding: every outline is cut into horizontal slabs
within which no two edges cross, so that each slab consists of trapezoids. The
sum does not depend on the order of additions, so all machines agree on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..encryption import clip_polygon

MAX_WORK = 12_000_000  # steps for one annotation: a few seconds
_LEAF = 128  # edges that are compared with each other
_NARROW = 8  # times as long as wide
_SMALLEST = 2.0**-10  # pixels: the side of a square that is not divided any more


class TooIntricateError(ValueError):
    """Outlines with more crossing edges than ``MAX_WORK`` allows to measure."""


def signed_sum(outlines: Sequence[np.ndarray]) -> float:
    """Return the sum of the areas of polygons (n, 2): what they cover if none of them overlap or cross."""
    return math.fsum(_shoelace(xy) for xy in outlines)


def _shoelace(xy: np.ndarray) -> float:
    x, y = xy.T
    return 0.5 * abs(math.fsum((x * np.roll(y, -1) - y * np.roll(x, -1)).tolist()))


def covered(outlines: Sequence[np.ndarray]) -> float:
    """Return the area that polygons (n, 2) cover together, in square pixels.

    Raises:
        TooIntricateError: far more crossings than an outline of an object has.
    """
    return math.fsum(_Measure().parts([np.asarray(xy, np.float64) for xy in outlines if len(xy)]))


def measure_for(outlines: Sequence[np.ndarray]) -> Callable[[Sequence[np.ndarray]], float]:
    """Return the function that measures parts of outlines: the sum where no outlines overlap or cross, which is faster.

    Raises:
        TooIntricateError: as :func:`covered`.
    """
    whole = signed_sum(outlines)
    return signed_sum if math.isclose(whole, covered(outlines), rel_tol=1e-9, abs_tol=1e-6) else covered


class _Measure:
    """Measures one set of outlines, and counts the work."""

    def __init__(self) -> None:
        self._work = 0

    def _count(self, steps: int) -> None:
        self._work += steps
        if self._work > MAX_WORK:
            raise TooIntricateError

    def parts(self, outlines: list[np.ndarray]) -> list[float]:
        """Return areas whose sum is the area of the outlines; many edges are divided among smaller squares."""
        edges = sum(map(len, outlines))
        if edges <= _LEAF:
            return self._slabs(outlines) if outlines else []
        low = np.min([xy.min(0) for xy in outlines], axis=0)
        high = np.max([xy.max(0) for xy in outlines], axis=0)
        if (high - low).max() < _SMALLEST:
            return []
        self._count(50 * edges)
        size, start = high - low, np.zeros(2)
        axis = _axis(outlines, low, high)
        start[axis] = size[axis] / 2
        found = []
        for corner, (w, h) in ((low, np.where(start > 0, start, size)), (low + start, size - start)):
            inside = (clip_polygon(xy - corner, w, h) for xy in outlines)
            found += self.parts([xy + corner for xy in inside if len(xy)])
        return found

    def _slabs(self, outlines: list[np.ndarray]) -> list[float]:
        """Return the areas of slabs in which no edges cross."""
        owner = np.concatenate([np.full(len(xy), i) for i, xy in enumerate(outlines)])
        a = np.concatenate(outlines)
        b = np.concatenate([np.roll(xy, -1, axis=0) for xy in outlines])
        level = a[:, 1] == b[:, 1]
        owner, a, b = owner[~level], a[~level], b[~level]
        if not len(a):
            return []
        upper = a[:, 1] < b[:, 1]
        first, last = np.where(upper[:, None], a, b), np.where(upper[:, None], b, a)
        slope = (last[:, 0] - first[:, 0]) / (last[:, 1] - first[:, 1])
        y = np.unique(np.concatenate([first[:, 1], last[:, 1], _crossings(first, last, slope)]))
        self._count(len(y) * len(a))
        middle, height = (y[1:] + y[:-1]) / 2, np.diff(y)
        active = (first[:, 1] <= middle[:, None]) & (middle[:, None] < last[:, 1])
        x = np.where(active, first[:, 0] + (middle[:, None] - first[:, 1]) * slope, np.inf)
        order = np.argsort(x, axis=1, kind='stable')
        x, owner = np.take_along_axis(x, order, axis=1), owner[order]
        inside = np.zeros(x.shape, bool)
        for i in range(len(outlines)):
            inside |= np.cumsum(owner == i, axis=1) % 2 == 1
        rows, columns = np.nonzero(inside[:, :-1] & np.isfinite(x[:, 1:]))
        return ((x[rows, columns + 1] - x[rows, columns]) * height[rows]).tolist()


def _axis(outlines: list[np.ndarray], low: np.ndarray, high: np.ndarray) -> int:
    """Return the axis to halve: that across whose middle fewer edges reach; of narrow boxes the longer one."""
    longer = int(np.argmax(high - low))
    if (high - low).max() > _NARROW * (high - low).min():
        return longer
    sides = [xy > (low + high) / 2 for xy in outlines]
    cut = np.sum([np.count_nonzero(side != np.roll(side, 1, axis=0), axis=0) for side in sides], axis=0)
    return int(np.argmin(cut))


def _crossings(first: np.ndarray, last: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return the y at which edges from ``first`` down to ``last`` cross, where both are there."""
    at_zero = first[:, 0] - first[:, 1] * slope
    i, j = np.triu_indices(len(first), 1)
    with np.errstate(divide='ignore', invalid='ignore'):
        y = (at_zero[j] - at_zero[i]) / (slope[i] - slope[j])
    low, high = np.maximum(first[i, 1], first[j, 1]), np.minimum(last[i, 1], last[j, 1])
    return y[(low < y) & (y < high)]
