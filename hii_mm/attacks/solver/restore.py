"""From pieces and their places to a picture: as they lie, and with guesses for what is missing. NumPy and Pillow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...encryption import Scheme
from .layout import lay_out
from .pieces import as_uint8
from .unmixing import as_plain


class Rendering(NamedTuple):
    """The two pictures of reassembled pieces.

    Attributes:
        raw: the pieces as they lie, nothing guessed, (h, w, 3) uint8.
        image: the reconstruction, (H, W, 3) uint8, of the plain size where it is known.
    """

    raw: np.ndarray
    image: np.ndarray


def restore(
    pieces: np.ndarray,
    places: np.ndarray,
    turns: np.ndarray | None,
    scheme: Scheme,
    plain_shape: tuple[int, int] | None = None,
    certainty: np.ndarray | None = None,
) -> Rendering:
    """Return the pictures of pieces at their places.

    Args:
        pieces: (n, h, w, 3) float32 in [0, 255], of the encrypted image, row by row.
        places: int (rows, columns), the piece at each place or -1.
        turns: int (rows, columns), how each piece is turned before it is put there, or None.
        scheme: how they were encrypted; it shuffles.
        plain_shape: (h, w) of the plain image, where it is known.
        certainty: float (rows, columns), how likely each piece is beside its right neighbours; None if all are.
    """
    gap = scheme.shuffle.gap if scheme.shuffle else 0
    raw = as_uint8(lay_out(pieces, places, turns, gap, fill=False))
    return Rendering(raw, as_plain(lay_out(pieces, places, turns, gap), scheme, plain_shape))
