"""Text: the share of the characters that come back. Needs RapidOCR, which ships its models (PP-OCR, 32 MB).

About .3 CPU seconds a picture of 224 x 224 without text, .6 with six lines of it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..solver.pieces import as_uint8

PACKAGES = ('rapidocr', 'onnxruntime')
LETTERS, CERTAIN = 3, 0.8  # characters of a line at least, and the certainty of the reader
SHORTER = 448  # pixels to which the shorter side is enlarged before text is looked for


def lines(image: np.ndarray) -> list[str]:
    """Return what is read on an image, (H, W[, C]): letters and digits in lower case, line by line.

    Lines of fewer than three characters, and those that the reader is less
    than 80 % certain of, are left out.
    """
    found = _reader()(as_uint8(image)[..., ::-1].copy())  # BGR
    read = zip(found.txts or (), found.scores or ())
    kept = (''.join(filter(str.isalnum, text.lower())) for text, score in read if score >= CERTAIN)
    return [line for line in kept if len(line) >= LETTERS]


def returned(plain: list[str], found: list[str]) -> float:
    """Return the share of the characters of ``plain`` that are in ``found``, in [0, 1].

    Each line counts against the line found that is most like it: one less the
    edit distance over its length, but not below 0; lines weigh by their length.
    """
    best = [max((len(line) - _distance(line, other) for other in found), default=0) for line in plain]
    return sum(max(0, each) for each in best) / sum(map(len, plain))


def _distance(one: str, two: str) -> int:
    """Return the edit distance (Levenshtein): insertions, deletions and replacements."""
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(two, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@functools.lru_cache(maxsize=1)
def _reader() -> Any:
    from rapidocr import RapidOCR

    threads = {f'EngineConfig.onnxruntime.{kind}_op_num_threads': 1 for kind in ('intra', 'inter')}
    return RapidOCR(params={'Global.log_level': 'error', 'Det.limit_side_len': SHORTER, **threads})
