"""Cutting encrypted images into pieces and laying pieces out again. NumPy and Pillow."""

import numpy as np
from PIL import Image

from ..encryption.grid import as_patches
from ..encryption.shuffle import MIRROR


def as_rgb(image):
    """(H, W[, C]) uint8, uint16 or float32 -> (H, W, 3) float32 in [0, 255].

    Floats up to 1 are taken as shares of white; NaN and infinities become 0 and the ends.
    """
    image = np.asarray(image)
    pixels = np.nan_to_num(image.astype(np.float32), posinf=np.float32(3e38), neginf=0)
    if image.dtype == np.uint16:
        pixels /= 257
    elif image.dtype.kind == 'f' and pixels.max(initial=0) <= 1:
        pixels *= 255
    pixels = pixels.clip(0, 255)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[..., :3])


def as_uint8(image):
    """Any picture as (H, W, 3) uint8."""
    return as_rgb(image).round().astype(np.uint8)


def resized(image, shape):
    """(H, W, 3) -> (h, w, 3) uint8, bicubic."""
    image = as_uint8(image)
    if image.shape[:2] == tuple(shape):
        return image
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def cut(image, shape):
    """(H, W, C) -> (rows * cols, h, w, C): the pieces, row by row."""
    patches = as_patches(np.ascontiguousarray(image), *shape)
    return patches.reshape((-1,) + patches.shape[2:])


def turn(pieces, code):
    """Turn (n, h, w, C) by ``code % 4`` quarters anti-clockwise, then mirror if it is 4 or more."""
    turned = np.rot90(pieces, code % 4, axes=(1, 2))
    return turned[:, :, ::-1] if code >= MIRROR else turned


def lay_out(pieces, places, turns=None, gap=0, fill=True):
    """Put pieces on a grid, with the pixels that a gap removed guessed from the border.

    Args:
        pieces: (n, h, w, C) float or integer.
        places: int (rows, columns), the piece at each place or -1.
        turns: int (rows, columns) codes for :func:`turn`, or None.
        gap: pixels missing on every side of each piece.
        fill: guess what is missing; else it is 0.

    Returns:
        ndarray: float32 (rows * (h + 2 gap), columns * (w + 2 gap), C).
    """
    rows, cols = places.shape
    h, w, channels = pieces.shape[1:]
    sheet = np.zeros((rows, cols, h, w, channels), np.float32)
    for code in range(8):
        here = (places >= 0) & ((turns if turns is not None else 0) == code)
        if here.any():
            sheet[here] = turn(pieces[places[here]], code)
    if fill and (places < 0).any() and (places >= 0).any():
        sheet[places < 0] = sheet[places >= 0].mean(axis=(0, 1, 2))
    canvas = sheet.swapaxes(1, 2).reshape(rows * h, cols * w, channels)
    return _stretch(_stretch(canvas, rows, gap, fill).swapaxes(0, 1), cols, gap, fill).swapaxes(0, 1)


def _stretch(canvas, parts, gap, fill):
    """Insert 2 * gap lines between parts (gap at the ends), interpolated between the lines beside them."""
    if not gap:
        return canvas
    side = canvas.shape[0] // parts
    at = (np.arange(parts)[:, None] * (side + 2 * gap) + gap + np.arange(side)).ravel()
    height = parts * (side + 2 * gap)
    if not fill:
        out = np.zeros((height,) + canvas.shape[1:], canvas.dtype)
        out[at] = canvas
        return out
    after = np.searchsorted(at, np.arange(height)).clip(0, len(at) - 1)
    before = (np.searchsorted(at, np.arange(height), side='right') - 1).clip(0)
    span = np.maximum(at[after] - at[before], 1)
    weight = ((np.arange(height) - at[before]) / span).clip(0, 1).astype(np.float32)
    weight = weight.reshape((-1,) + (1,) * (canvas.ndim - 1))
    return canvas[before] * (1 - weight) + canvas[after] * weight
