"""From pieces and their places to a picture: as they lie, and with guesses for what is missing. NumPy and Pillow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...encryption import MixupParams, Scheme
from ...encryption.mixup import average, spread
from .denoising import denoised
from .grids import shuffle_of
from .layout import fitted, known_pixels, lay_out
from .smooth import seam_weights, smoothest
from .unmixing import mosaic

BEND = 1.0  # weight of curvature in gaps; chosen on photographs of data/gcompris/learn


class Rendering(NamedTuple):
    """The two pictures of reassembled pieces.

    Attributes:
        raw: the pieces as they lie, nothing guessed, (h, w, 3) uint8: gaps and
            empty places are black, and mixed pieces are enlarged as they are.
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
    solved: np.ndarray | None = None,
) -> Rendering:
    """Return the pictures of pieces at their places.

    In ``image`` gaps are filled, mixed pieces are unmixed and places without
    a piece are filled smoothly from those around, see :mod:`.smooth`. Pieces
    lend each other nothing where they are not likely neighbours. Noise is
    taken off last.

    Args:
        pieces: (n, h, w, 3) float32 in [0, 255], of the encrypted image, row by row.
        places: int (rows, columns), the piece at each place or -1.
        turns: int (rows, columns), how each piece is turned before it is put there, or None.
        scheme: how they were encrypted; it shuffles.
        plain_shape: (h, w) of the plain image, where it is known.
        certainty: float (rows, columns), how likely each piece is beside its right neighbours; None if all are.
        solved: the pieces in one tone, for ``image``; None if they have no tone of their own.
    """
    gap, parts = scheme.shuffle.gap if scheme.shuffle else 0, scheme.mixup.grid if scheme.mixup else 1
    raw = lay_out(pieces, places, turns, gap, fill=False)
    known = known_pixels(places, (pieces.shape[1], pieces.shape[2]), gap)
    image = lay_out(pieces if solved is None else solved, places, turns, gap)
    if scheme.mixup or (known == 0).any():
        bend = BEND if (places >= 0).all() else 0.0  # over a whole piece a slope does not go on
        image = _filled(image, known, scheme.mixup, seams(places, certainty, scheme), bend)
    image = denoised(image, shuffle_of(scheme).noise)
    shape = plain_shape or (image.shape[0], image.shape[1])
    return Rendering(*(fitted(part, shape) for part in (raw.repeat(parts, 0).repeat(parts, 1), image)))


def seams(places: np.ndarray, certainty: np.ndarray | None, scheme: Scheme) -> list[np.ndarray]:
    """Return the weights of differences between pixels of the plain picture, see :func:`.smooth.seam_weights`."""
    shuffle, mixup = shuffle_of(scheme), scheme.mixup
    (h, w), parts = shuffle.patch_size, mixup.grid if mixup else 1
    size, sure = (h * parts, w * parts), np.ones(places.shape) if certainty is None else np.clip(certainty, 0, 1)
    if mixup and (h % mixup.core_size[0] or w % mixup.core_size[1]):
        sure = np.ones(places.shape)  # pieces smaller than a mixture: no seam of theirs is one of the plain picture
    return seam_weights(sure, places >= 0, size)


def _filled(
    image: np.ndarray, known: np.ndarray, mixup: MixupParams | None, weights: list[np.ndarray], bend: float
) -> np.ndarray:
    """Return the plain picture of least variation from a laid out one, (h, w, 3), of which ``known`` is right."""
    if mixup is None:
        return smoothest(image, known, None, weights, rounds=0, bend=bend)
    start = mosaic(image, mixup.core_size, mixup.patch_size)
    start += spread(image - average(start, mixup), mixup)
    return smoothest(start, known, mixup, weights, rounds=4)
