"""COCO's run lengths: column by column, zeros first; as numbers or as its text."""

import numpy as np


def decode(segmentation, hw):
    """A segmentation ``{'size': [h, w], 'counts': ...}`` -> uint8 (h, w).

    Raises:
        ValueError, TypeError, KeyError, IndexError: no run lengths of a picture of (h, w).
    """
    counts = segmentation['counts']
    counts = np.array(_from_text(counts) if isinstance(counts, str) else counts, np.int64).reshape(-1)
    if tuple(segmentation['size']) != tuple(hw) or (counts < 0).any() or counts.sum() != hw[0] * hw[1]:
        raise ValueError(f'run lengths of another size than {hw}')
    values = (np.arange(len(counts)) % 2).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(values, counts).reshape(hw[::-1]).T)


def encode(mask):
    """Uint8 or bool (h, w) of 0 and 1 -> ``{'size': [h, w], 'counts': text}``."""
    flat = np.asarray(mask, np.uint8).T.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    counts = [0, *counts] if flat[0] else counts
    return {'size': list(mask.shape), 'counts': _to_text(counts)}


def _to_text(counts):
    """Differences to the count before the last, five bits a letter."""
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


def _from_text(text):
    """Undo :func:`_to_text`."""
    counts, position = [], 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(text[position]) - 48
            value |= (bits & 0x1F) << shift
            more, shift, position = bool(bits & 0x20), shift + 5, position + 1
            if not more and bits & 0x10:
                value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts
