"""What single pieces show by themselves: faces and text. scikit-image; RapidOCR where it is installed."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import numpy as np

from .pieces import resized

SIDE, MARGIN = 48, 8  # pixels: of an enlarged piece, and between pieces
LEAST = 12  # pixels: pieces with a shorter side are not looked at
LETTERS, CERTAIN = 2, 0.8  # characters that are read on a piece at least, and the certainty of the reader
FLAT = 4  # levels: no channel of a piece without faces and text deviates by more
MOST = 196  # pieces on a sheet that is read; the reader shrinks larger pictures


def sheet(pieces: np.ndarray) -> np.ndarray:
    """Return all pieces enlarged on one grey sheet: uint8 (rows * (SIDE + MARGIN), columns * (SIDE + MARGIN), 3).

    Args:
        pieces: (n, h, w, 3) float32 in [0, 255]; ten or more in a row.
    """
    columns, cell = max(10, int(np.sqrt(len(pieces)))), SIDE + MARGIN
    rows = -(-len(pieces) // columns)
    out = np.full((rows, columns, cell, cell, 3), 128, np.uint8)
    for k, piece in enumerate(pieces):
        out[k // columns, k % columns, :SIDE, :SIDE] = resized(piece, (SIDE, SIDE))
    return out.swapaxes(1, 2).reshape(rows * cell, columns * cell, 3)


def busy(pieces: np.ndarray) -> np.ndarray:
    """Return the pieces that are not of one colour: a part of (n, h, w, 3) float32."""
    shown: np.ndarray = pieces[pieces.std(axis=(1, 2)).max(axis=1) > FLAT]
    return shown


def faces_in(pieces: np.ndarray) -> int:
    """Return the number of pieces in which scikit-image's cascade finds a frontal face."""
    pieces = busy(pieces)
    if min(pieces.shape[1:3]) < LEAST or not len(pieces):
        return 0
    picture, cell = sheet(pieces), SIDE + MARGIN
    found = _cascade().detect_multi_scale(
        img=picture, scale_factor=1.2, step_ratio=1, min_size=(SIDE // 2, SIDE // 2), max_size=(SIDE, SIDE)
    )
    corners = [(box['r'], box['c'], box['r'] + box['height'] - 1, box['c'] + box['width'] - 1) for box in found]
    within = {(t // cell, x // cell) for t, x, b, r in corners if (t // cell, x // cell) == (b // cell, r // cell)}
    return len(within)


def text_in(pieces: np.ndarray) -> list[str] | None:
    """Return what RapidOCR reads within single pieces, in lower case; None if it is not installed."""
    if not all(map(_installed, ('rapidocr', 'onnxruntime'))):
        return None
    if min(pieces.shape[1:3]) < LEAST:
        return []
    found: list[str] = []
    pieces = busy(pieces)
    for part in range(0, len(pieces), MOST):
        said = _reader()(sheet(pieces[part : part + MOST])[..., ::-1].copy())  # BGR
        pairs = zip(said.txts or (), said.scores or ())
        found += [''.join(filter(str.isalnum, text.lower())) for text, score in pairs if score >= CERTAIN]
    return [text for text in found if len(text) >= LETTERS]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@functools.lru_cache(maxsize=1)
def _cascade() -> Any:
    from skimage import data, feature

    return feature.Cascade(data.lbp_frontal_face_cascade_filename())


@functools.lru_cache(maxsize=1)
def _reader() -> Any:
    from rapidocr import RapidOCR

    threads = {f'EngineConfig.onnxruntime.{kind}_op_num_threads': 1 for kind in ('intra', 'inter')}
    return RapidOCR(params={'Global.log_level': 'error', **threads})
