"""Where points and outlines go when patches move. NumPy only.

Coordinates are xy in pixels with continuous edges, as in :mod:`.boxes`.
"""

import numpy as np

from .shuffle import MIRROR


def move_points(plan, xy):
    """Move points with their patches.

    Args:
        plan: a :class:`hii_mm.encryption.ShufflePlan`.
        xy: (n, 2) in the plain image.

    Returns:
        tuple: float64 (n, 2) in the encrypted image, and bool (n,), False for
        points outside the image, in a gap or in a dropped patch (theirs is 0, 0).
    """
    xy = np.asarray(xy, np.float64).reshape(-1, 2)
    moved, kept, places = np.zeros((len(xy), 2)), np.zeros(len(xy), bool), _places(plan)
    (ph, pw), (rows, cols), (ch, cw) = plan.grid.patch_size, plan.grid.shape, plan.core_size
    for i, (x, y) in enumerate(xy):
        if not (0 <= x < min(plan.plain_shape[1], cols * pw) and 0 <= y < min(plan.plain_shape[0], rows * ph)):
            continue
        row, col = int(y // ph), int(x // pw)
        local, place = (x - col * pw - plan.gap, y - row * ph - plan.gap), places[row * cols + col]
        if place >= 0 and 0 <= local[0] < cw and 0 <= local[1] < ch:
            moved[i], kept[i] = _place(plan, np.array([local]), place)[0], True
    return moved, kept


def move_polygon(plan, xy):
    """Cut an outline along the patch grid and move the pieces with their patches.

    Args:
        plan: a :class:`hii_mm.encryption.ShufflePlan`.
        xy: (n, 2), the outline in the plain image.

    Returns:
        list: one float64 (k, 2) outline a patch that it touches with some area.
    """
    (ph, pw), (rows, cols) = plan.grid.patch_size, plan.grid.shape
    points = [tuple(p) for p in np.asarray(xy, np.float64).reshape(-1, 2)]
    if len(points) < 3 or not np.isfinite(points).all():
        return []
    places, gap, moved = _places(plan), plan.gap, []
    limit = min(plan.plain_shape[0], rows * ph), min(plan.plain_shape[1], cols * pw)
    for row in _range(points, 1, ph, rows):
        strip = _between(points, 1, row * ph + gap, min((row + 1) * ph - gap, limit[0]))
        for col in _range(strip, 0, pw, cols) if strip else ():
            place = places[row * cols + col]
            if place < 0:
                continue
            piece = _between(strip, 0, col * pw + gap, min((col + 1) * pw - gap, limit[1]))
            if len(piece) >= 3 and area(piece) > 0:
                moved.append(_place(plan, np.array(piece) - (col * pw + gap, row * ph + gap), place))
    return moved


def clip_polygon(xy, width, height):
    """The part of an outline within (0, 0, width, height), float64 (k, 2); k is 0 where nothing is left."""
    points = [tuple(p) for p in np.asarray(xy, np.float64).reshape(-1, 2)]
    inside = _between(_between(points, 0, 0, width), 1, 0, height)
    return np.array(inside) if len(inside) >= 3 and area(inside) > 0 else np.empty((0, 2))


def area(xy):
    """The area within an outline (n, 2), by the shoelace formula."""
    x, y = np.asarray(xy, np.float64).T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _places(plan):
    """int64 (patches,): the place each plain patch went to, or -1."""
    places = np.full(plan.grid.shape[0] * plan.grid.shape[1], -1)
    places[plan.permutation] = np.arange(plan.permutation.size)
    return places


def _place(plan, local, place):
    """(n, 2) within a patch's core -> in the encrypted image, at the patch's place."""
    ch, cw = plan.core_size
    if plan.orientation is not None:
        code = int(plan.orientation[place])
        for _ in range(code % 2):  # a quarter anti-clockwise: squares only
            local = np.stack([local[:, 1], cw - local[:, 0]], axis=1)
        if code % MIRROR >= 2:  # a half
            local = (cw, ch) - local
        if code >= MIRROR:
            local = np.stack([cw - local[:, 0], local[:, 1]], axis=1)
    row, col = divmod(int(place), plan.shape[1])
    return local + (col * cw, row * ch)


def _range(points, axis, size, count):
    """The cells along an axis that points reach."""
    values = [p[axis] for p in points]
    return range(max(0, int(min(values) // size)), min(count, int(max(values) // size) + 1))


def _between(points, axis, low, high):
    """An outline's part with low <= coordinate <= high along an axis (Sutherland and Hodgman)."""
    for sign, bound in ((1, low), (-1, high)):
        kept = []
        for a, b in zip(points[-1:] + points[:-1], points):
            da, db = sign * (a[axis] - bound), sign * (b[axis] - bound)
            if (da < 0) != (db < 0):
                share = da / (da - db)
                cut = [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]
                cut[axis] = bound
                kept.append(tuple(cut))
            if db >= 0:
                kept.append(b)
        points = kept
    return points
