"""The eight turns of a patch: flips and rotations, of pixels, boxes and points. NumPy only.

A code is 0..7: ``code % 4`` quarter turns anti-clockwise, followed by a mirror
from left to right if ``code >= 4``. Oblong patches only have the codes that
keep their shape: 0, 2, 4 and 6.
"""

from __future__ import annotations

import numpy as np

from .grid import as_patches

MIRROR = 4


def codes_of(patch_size: tuple[int, int]) -> list[int]:
    """Return the codes that keep the shape of a patch of (h, w): 8 for squares, else 4."""
    return list(range(8)) if patch_size[0] == patch_size[1] else [0, 2, 4, 6]


def turn(patches: np.ndarray, code: int) -> np.ndarray:
    """Turn patches (n, h, w[, C]) by a code; a view where NumPy can give one."""
    turned = np.rot90(patches, code % 4, axes=(1, 2))
    return turned[:, :, ::-1] if code >= MIRROR else turned


def turn_grid(grid: np.ndarray, code: int) -> np.ndarray:
    """Turn one array (rows, columns[, C]) by a code."""
    return turn(grid[None], code)[0]


def inverse(codes: np.ndarray) -> np.ndarray:
    """Return the code that undoes each code, int64 as ``codes``."""
    codes = np.asarray(codes)
    return np.where(codes >= MIRROR, codes, -codes % 4)


def compose(first: int, then: int) -> int:
    """Return the code of turning by ``first`` and then by ``then``."""
    if first >= MIRROR:  # a mirror before a turn is the opposite turn before the mirror
        return (first % 4 - then % 4) % 4 + (MIRROR if then < MIRROR else 0)
    return (first + then) % 4 + (MIRROR if then >= MIRROR else 0)


def transposed(code: int) -> int:
    """Return the code that does to a transposed oblong patch what ``code`` does to the patch."""
    return {0: 0, 2: 2, 4: 6, 6: 4}[code]


def turn_points(xy: np.ndarray, code: int, height: int, width: int) -> np.ndarray:
    """Turn points within a patch.

    Args:
        xy: float64 (n, 2) within (0, 0, width, height).
        code: the turn.
        height: of the patch, in pixels.
        width: of the patch, in pixels.

    Returns:
        float64 (n, 2) within the turned patch.
    """
    if code % 2:  # a quarter anti-clockwise
        xy = np.stack([xy[:, 1], width - xy[:, 0]], axis=1)
        height, width = width, height
    if code % MIRROR >= 2:  # a half
        xy = (width, height) - xy
    if code >= MIRROR:
        xy = np.stack([width - xy[:, 0], xy[:, 1]], axis=1)
    return xy


def turn_boxes(boxes: np.ndarray, codes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Turn boxes, each within its own patch.

    Args:
        boxes: float64 (n, 4) xyxy within (0, 0, width, height).
        codes: (n,) turns.
        height: of the patches, in pixels.
        width: of the patches, in pixels.

    Returns:
        float64 (n, 4) xyxy.
    """
    turned = boxes.copy()
    for code in np.unique(codes):
        here = codes == code
        a, b = (turn_points(corner, int(code), height, width) for corner in (boxes[here, :2], boxes[here, 2:]))
        turned[here] = np.hstack([np.minimum(a, b), np.maximum(a, b)])
    return turned


def turn_patches(image: np.ndarray, codes: np.ndarray, shape: tuple[int, int]) -> None:
    """Turn each patch of an image by its own code, in place.

    Args:
        image: C-contiguous (rows * h, columns * w[, C]).
        codes: int64 (rows * columns,), row by row.
        shape: (rows, columns).
    """
    patches = as_patches(image, *shape)
    for code in np.unique(codes[codes != 0]):
        where = np.divmod(np.flatnonzero(codes == code), shape[1])
        patches[where] = turn(patches[where], int(code))
