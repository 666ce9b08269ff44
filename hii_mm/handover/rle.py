"""COCO's run lengths (RLE): column by column, zeros first; as numbers or as compressed text."""

from __future__ import annotations

from typing import Any

import numpy as np

from .coco_schema import Rle
from .parsing import fits

_MAX_SHIFT = 35  # bits of a count in compressed text, of which each letter has five


def decode(segmentation: Any, hw: tuple[int, int]) -> np.ndarray | None:
    """Decode ``{'size': [h, w], 'counts': ...}``.

    Args:
        segmentation: a decoded JSON value.
        hw: (h, w) of the image.

    Returns:
        uint8 (h, w) of 0 and 1; None where these are not run lengths of such an image.
    """
    rle, pixels = fits(segmentation, Rle), hw[0] * hw[1]
    if rle is None or rle.size != hw:
        return None
    runs = _from_text(rle.counts, pixels) if isinstance(rle.counts, str) else rle.counts
    if runs is None or len(runs) > pixels + 1:
        return None
    if any(run > pixels for run in runs) or sum(runs) != pixels:  # each before the sum: NumPy's would wrap around
        return None
    values = (np.arange(len(runs)) % 2).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(values, np.array(runs, np.int64)).reshape(hw[::-1]).T)


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Encode uint8 or bool (h, w) of 0 and 1 as ``{'size': [h, w], 'counts': text}``."""
    flat = np.asarray(mask, np.uint8).T.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    counts = [0, *counts] if flat[0] else counts
    return {'size': list(mask.shape), 'counts': _to_text(counts)}


def _to_text(counts: list[int]) -> str:
    """Compress counts: differences to the count before the last, five bits per letter."""
    out = []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            bits, value = value & 0x1F, value >> 5
            last = value == (-1 if bits & 0x10 else 0)
            out.append(chr(48 + (bits if last else bits | 0x20)))
            if last:
                break
    return ''.join(out)


def _from_text(text: str, pixels: int) -> list[int] | None:
    """Return the counts of :func:`_to_text`.

    None where a letter is not one of the 64, the text ends within a count, or
    the counts are more, larger or in sum more than an image of ``pixels`` has.
    """
    counts: list[int] = []
    value, shift, left = 0, 0, pixels
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift >= _MAX_SHIFT or len(counts) > pixels:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        count = value + counts[-2] if len(counts) > 2 else value
        left -= count
        if count < 0 or left < 0:
            return None
        counts.append(count)
        value, shift = 0, 0
    return counts if shift == 0 else None
