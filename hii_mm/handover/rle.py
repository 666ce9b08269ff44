"""COCO's run lengths (RLE): column by column, zeros first; as numbers or as compressed text."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from .parsing import fits

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Rle(msgspec.Struct):
    size: tuple[int, int]
    counts: str | list[Count]


def decode(segmentation: Any, hw: tuple[int, int]) -> np.ndarray | None:
    """Decode ``{'size': [h, w], 'counts': ...}``.

    Args:
        segmentation: a decoded JSON value.
        hw: (h, w) of the image.

    Returns:
        uint8 (h, w) of 0 and 1; None where these are not run lengths of such an image.
    """
    rle, pixels = fits(segmentation, _Rle), hw[0] * hw[1]
    if rle is None or rle.size != hw:
        return None
    runs = _from_text(rle.counts) if isinstance(rle.counts, str) else rle.counts
    if runs is None or not all(0 <= run <= pixels for run in runs) or sum(runs) != pixels:
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


def _from_text(text: str) -> list[int] | None:
    """Return the counts of :func:`_to_text`, or None where the text ends within a count."""
    counts: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value, shift = 0, 0
    return counts if shift == 0 else None
