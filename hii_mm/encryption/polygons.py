"""Move points and polygons with shuffled patches. NumPy only.

Coordinates are xy in pixels with continuous edges, as in :mod:`.boxes`.
"""

from __future__ import annotations

import numpy as np

from . import turns
from .shuffle import ShufflePlan

Points = list[tuple[float, float]]
_FLAT = 1e-9  # square pixels
_SURE = 1e-3  # square pixels, far above what rounding makes of a line


def move_points(plan: ShufflePlan, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move points with their patches.

    Args:
        plan: of the image.
        xy: (n, 2) in the plain image.

    Returns:
        float64 (n, 2) in the encrypted image, and bool (n,), False for points
        outside the image, in a gap or in a dropped patch (which become 0, 0).
    """
    xy = np.asarray(xy, np.float64).reshape(-1, 2)
    moved, kept, places = np.zeros((len(xy), 2)), np.zeros(len(xy), bool), plan.places
    (ph, pw), (rows, cols), (ch, cw) = plan.grid.patch_size, plan.grid.shape, plan.core_size
    for i, (x, y) in enumerate(xy):
        if not (0 <= x < min(plan.plain_shape[1], cols * pw) and 0 <= y < min(plan.plain_shape[0], rows * ph)):
            continue
        row, col = int(y // ph), int(x // pw)
        local, place = (x - col * pw - plan.gap, y - row * ph - plan.gap), places[row * cols + col]
        if place >= 0 and 0 <= local[0] < cw and 0 <= local[1] < ch:
            moved[i], kept[i] = _place(plan, np.array([local]), place)[0], True
    return moved, kept


def move_polygon(plan: ShufflePlan, xy: np.ndarray) -> list[np.ndarray]:
    """Cut a polygon along the patch grid and move the pieces with their patches.

    Args:
        plan: of the image.
        xy: (n, 2) in the plain image.

    Returns:
        One float64 (k, 2) polygon for each surviving patch that it overlaps.
    """
    (ph, pw), (rows, cols) = plan.grid.patch_size, plan.grid.shape
    points = [tuple(p) for p in np.asarray(xy, np.float64).reshape(-1, 2)]
    if len(points) < 3 or not np.isfinite(points).all():
        return []
    places, gap, moved = plan.places, plan.gap, []
    limit = min(plan.plain_shape[0], rows * ph), min(plan.plain_shape[1], cols * pw)
    for row in _range(points, 1, ph, rows):
        strip = _between(points, 1, row * ph + gap, min((row + 1) * ph - gap, limit[0]))
        for col in _range(strip, 0, pw, cols) if strip else ():
            place = places[row * cols + col]
            if place < 0:
                continue
            piece = _between(strip, 0, col * pw + gap, min((col + 1) * pw - gap, limit[1]))
            if _is_solid(piece):
                moved.append(_moved(plan, piece, (col * pw + gap, row * ph + gap), int(place)))
    return moved


def clip_polygon(xy: np.ndarray, width: float, height: float) -> np.ndarray:
    """Clip a polygon (n, 2) to (0, 0, width, height): float64 (k, 2), k is 0 where nothing is left."""
    points = [tuple(p) for p in np.asarray(xy, np.float64).reshape(-1, 2)]
    inside = _between(_between(points, 0, 0, width), 1, 0, height)
    return np.array(inside) if _is_solid(inside) else np.empty((0, 2))


def area(xy: np.ndarray | Points) -> float:
    """Return the area of a polygon (n, 2) by the shoelace formula."""
    x, y = np.asarray(xy, np.float64).T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _is_solid(points: Points) -> bool:
    """Return whether points are a polygon, not parts of one line; the signed area of a figure of eight can be 0."""
    if len(points) < 3:
        return False
    # few points: a loop is five times as fast as NumPy
    twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1]))
    if abs(twice) > _SURE or area(points) > 0:
        return True
    x, y = (np.asarray(points, np.float64) - points[0]).T
    far = int(np.argmax(x * x + y * y))
    return bool(np.abs(x[far] * y - y[far] * x).max() > _FLAT)


def _moved(plan: ShufflePlan, piece: Points, corner: tuple[int, int], place: int) -> np.ndarray:
    """Move a piece of a patch, whose core begins at ``corner`` (x, y), to the encrypted image: float64 (k, 2)."""
    if plan.orientation is not None:
        return _place(plan, np.array(piece) - corner, place)
    (left, top), (row, col), (ch, cw) = corner, divmod(place, plan.shape[1]), plan.core_size
    right, down = col * cw, row * ch
    return np.array([(x - left + right, y - top + down) for x, y in piece])


def _place(plan: ShufflePlan, local: np.ndarray, place: int) -> np.ndarray:
    """Map (n, 2) within the core of a patch to the encrypted image."""
    ch, cw = plan.core_size
    if plan.orientation is not None:
        local = turns.turn_points(local, int(plan.orientation[place]), ch, cw)
    row, col = divmod(int(place), plan.shape[1])
    return local + (col * cw, row * ch)


def _range(points: Points, axis: int, size: int, count: int) -> range:
    """Return the cells along an axis that points reach."""
    values = [p[axis] for p in points]
    return range(max(0, int(min(values) // size)), min(count, int(max(values) // size) + 1))


def _between(points: Points, axis: int, low: float, high: float) -> Points:
    """Clip a polygon to low <= coordinate <= high along an axis (Sutherland and Hodgman)."""
    for sign, bound in ((1, low), (-1, high)):
        kept: Points = []
        for a, b in zip(points[-1:] + points[:-1], points):
            da, db = sign * (a[axis] - bound), sign * (b[axis] - bound)
            if (da < 0) != (db < 0):
                share = da / (da - db)
                x, y = a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
                kept.append((bound, y) if axis == 0 else (x, bound))
            if db >= 0:
                kept.append(b)
        points = kept
    return points
