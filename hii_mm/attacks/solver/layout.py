"""Lay pieces out on a grid, with first guesses for the pixels that are missing."""

from __future__ import annotations

import numpy as np

from ...encryption.turns import turn


def lay_out(
    pieces: np.ndarray, places: np.ndarray, turns: np.ndarray | None = None, gap: int = 0, fill: bool = True
) -> np.ndarray:
    """Put pieces on a grid, and interpolate the pixels that a gap removed.

    Args:
        pieces: (n, h, w, C) float or integer.
        places: int (rows, columns), the piece at each place or -1.
        turns: int (rows, columns) codes of :mod:`hii_mm.encryption.turns`, or None.
        gap: pixels missing on every side of each piece.
        fill: guess what is missing: lines between the pieces beside them, and
            for a place without a piece one colour, drawn from the places
            around; otherwise it is 0.

    Returns:
        float32 (rows * (h + 2 gap), columns * (w + 2 gap), C).
    """
    rows, cols = places.shape
    h, w, channels = pieces.shape[1:]
    sheet = np.zeros((rows, cols, h, w, channels), np.float32)
    for code in range(8):
        here = (places >= 0) & ((turns if turns is not None else 0) == code)
        if here.any():
            sheet[here] = turn(pieces[places[here]], code)
    if fill and (places < 0).any() and (places >= 0).any():
        sheet[places < 0] = colours(sheet.mean(axis=(2, 3)), places >= 0)[places < 0][:, None, None]
    canvas = sheet.swapaxes(1, 2).reshape(rows * h, cols * w, channels)
    return _stretch(_stretch(canvas, rows, gap, fill).swapaxes(0, 1), cols, gap, fill).swapaxes(0, 1)


def known_pixels(places: np.ndarray, size: tuple[int, int], gap: int) -> np.ndarray:
    """Return 1 where a piece of ``size`` (h, w) lies, else 0: float32 as :func:`lay_out`, with one channel."""
    pieces = np.ones((1, *size, 1), np.float32)
    return lay_out(pieces, np.where(places >= 0, 0, -1), None, gap, fill=False)


def colours(means: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Return the colours of places: where no piece lies, the mean of the four around, drawn through them.

    Args:
        means: float32 (rows, columns, C); those of empty places do not matter.
        filled: bool (rows, columns), at least one True.
    """
    found = np.where(filled[..., None], means, means[filled].mean(axis=0))
    for _ in range(2 * max(filled.shape)):
        around = np.pad(found, ((1, 1), (1, 1), (0, 0)), mode='edge')
        mean = (around[2:, 1:-1] + around[:-2, 1:-1] + around[1:-1, 2:] + around[1:-1, :-2]) / 4
        found = np.where(filled[..., None], means, mean)
    return found


def fitted(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cut what padding added to a picture, and repeat the last line where cropping took more.

    Args:
        image: float (H, W, C) in grey levels; rounded, and clipped to [0, 255].
        shape: (h, w) of the result.

    Returns:
        uint8 (h, w, C).
    """
    image = np.rint(image[: shape[0], : shape[1]]).clip(0, 255).astype(np.uint8)
    lost = [(0, shape[k] - image.shape[k]) for k in (0, 1)]
    return np.pad(image, [*lost, (0, 0)], mode='edge')


def _stretch(canvas: np.ndarray, parts: int, gap: int, fill: bool) -> np.ndarray:
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
