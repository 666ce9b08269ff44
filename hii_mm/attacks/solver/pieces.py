"""Cut images into pieces, and compare and turn the pieces. NumPy and Pillow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ...encryption import PatchGrid, Scheme, ShuffleParams
from ...encryption.grid import as_patches
from ...encryption.mixup import average
from ...encryption.turns import codes_of, turn


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Convert an image to (H, W, 3) float32 in [0, 255].

    Args:
        image: (H, W) or (H, W, C), uint8, uint16 or float. Floats of at most 1
            are taken as shares of white. NaN becomes 0, and infinities the
            ends of the range.
    """
    image = np.asarray(image)
    pixels = np.nan_to_num(image.astype(np.float32), posinf=3e38, neginf=0)
    if image.dtype == np.uint16:
        pixels /= 257
    elif image.dtype.kind == 'f' and pixels.max(initial=0) <= 1:
        pixels *= 255
    pixels = pixels.clip(0, 255)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[..., :3])


def as_uint8(image: np.ndarray) -> np.ndarray:
    """Convert an image to (H, W, 3) uint8, as :func:`as_rgb` does."""
    return as_rgb(image).round().astype(np.uint8)


def resized(image: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Resize an image to (h, w, 3) uint8, bicubic.

    Args:
        image: (H, W) or (H, W, C), as :func:`as_rgb` takes it.
        shape: (h, w).
    """
    image = as_uint8(image)
    if image.shape[:2] == tuple(shape):
        return image
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def cut(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cut (H, W, C) into a grid of (rows, columns) pieces, (rows * columns, h, w, C), row by row."""
    patches = as_patches(np.ascontiguousarray(image), *shape)
    return patches.reshape((-1,) + patches.shape[2:])


def tokens(image: np.ndarray, core_size: tuple[int, int]) -> np.ndarray:
    """Cut an encrypted image into float32 (n, h * w * 3) in about [-1, 1], one row for each piece of ``core_size``."""
    h, w = core_size
    return cut(as_rgb(image), (image.shape[0] // h, image.shape[1] // w)).reshape(-1, h * w * 3) / 127.5 - 1


def classes(pieces: np.ndarray) -> np.ndarray:
    """Number pieces (n, ...) so that equal ones share the lowest index among them: int64 (n,)."""
    flat = np.ascontiguousarray(pieces).reshape(len(pieces), -1)
    _, first, inverse = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()]


def turn_codes(params: ShuffleParams) -> list[int]:
    """Return the codes by which a piece may have to be turned back: 1, 4 (oblong) or 8 (square)."""
    return codes_of(params.patch_size) if params.orient else [0]


def all_turns(pieces: np.ndarray, codes: Sequence[int]) -> np.ndarray:
    """Turn each piece by each code: (n, h, w, C) -> (n * codes, ...); the turns of one piece follow each other."""
    turned = np.stack([turn(pieces, code) for code in codes], axis=1)
    return np.ascontiguousarray(turned.reshape((-1,) + turned.shape[2:]))


def before_shuffle(plain: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Return what the shuffle of a scheme receives, unrounded: float32 (H, W, 3), mixed if the scheme mixes."""
    plain = as_rgb(plain)
    if scheme.mixup is None:
        return plain
    return average(scheme.mixup.plan(plain.shape).grid.fit(plain), scheme.mixup)


def plain_cores(image: np.ndarray, params: ShuffleParams) -> np.ndarray:
    """Return what a shuffle keeps of each patch of (H, W, C): (n, h, w, C), row by row."""
    grid = PatchGrid((image.shape[0], image.shape[1]), params.patch_size, params.remainder)
    patches, (ph, pw) = cut(grid.fit(image), grid.shape), params.patch_size
    return patches[:, params.gap : ph - params.gap, params.gap : pw - params.gap]
