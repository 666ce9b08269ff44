"""Examples to learn neighbours from: crops of public photos, cut into pieces and measured. NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...encryption import Scheme
from ...encryption.turns import compose, transposed, turn_grid
from ..solver.grids import shuffle_of
from ..solver.pieces import all_turns, before_shuffle, plain_cores, turn_codes
from ..solver.seams import SeamModel
from ..solver.tones import shown
from ..solver.values import with_noise, with_tone
from .crops import crop, crop_shape


class Example(NamedTuple):
    """All items (pieces, or pieces times turns) of a picture.

    Attributes:
        streams: uint8 (N, h, w, 3): items whose right neighbours are asked for, and, unless that follows
            from the turns, the transposed ones, whose right neighbours are those below.
        measures: float16 (2, K, N, N): item j right of, and below, item i.
        seams: int64 (S, 2) for each stream: true neighbours, the left one first.
        piece: int64 (N,), the piece of each item.
    """

    streams: tuple[np.ndarray, ...]
    measures: np.ndarray
    seams: tuple[np.ndarray, ...]
    piece: np.ndarray


def measured(
    pieces: np.ndarray, codes: Sequence[int], model: SeamModel
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Turn and measure pieces.

    Args:
        pieces: float32 (n, h, w, 3) RGB in [0, 255].
        codes: turns that each piece may need.
        model: the measures.

    Returns:
        The streams, float32, without their tone where pieces may have any; the measures, float32 (2, K, N, N);
        and the piece of each item, as :class:`Example`.
    """
    items, piece = all_turns(pieces, codes), np.arange(len(pieces) * len(codes)) // len(codes)
    right, seen = model.measures(items, items), shown(items) if model.toned else items
    if 1 in codes:
        quarter = quarters(len(pieces), codes)
        return (seen,), np.stack([right, right[:, quarter[:, None], quarter]]), piece
    upright = all_turns(pieces.swapaxes(1, 2), [transposed(code) for code in codes])
    below = model.measures(upright, upright)
    return (seen, shown(upright) if model.toned else upright), np.stack([right, below]), piece


def quarters(count: int, codes: Sequence[int]) -> np.ndarray:
    """Return the item that each item becomes by a quarter turn, which brings what is below to the right: (N,)."""
    quarter = np.array([codes.index(compose(code, 1)) for code in codes])
    return (np.arange(count)[:, None] * len(codes) + quarter).ravel()


def example(
    photos: Sequence[np.ndarray], scheme: Scheme, size: tuple[int, int], model: SeamModel, rng: np.random.Generator
) -> Example:
    """Make an example of a random crop of a random photo, recoloured at random.

    Args:
        photos: (H, W, 3) uint8 each.
        scheme: that is attacked; it shuffles.
        size: (h, w) of the images that are attacked, in pixels.
        model: the measures.
        rng: source of all choices.
    """
    shape = crop_shape(scheme, size)
    return cut_example(crop(photos[int(rng.integers(len(photos)))], shape, size, rng), scheme, model, rng)


def cut_example(image: np.ndarray, scheme: Scheme, model: SeamModel, rng: np.random.Generator) -> Example:
    """Make an example of a picture, (h, w, 3) uint8 of whole patches; patches are dropped as the scheme does."""
    shuffle = shuffle_of(scheme)
    codes, mixed = turn_codes(shuffle), before_shuffle(image, scheme).round()
    rows, cols = (length // side for length, side in zip(mixed.shape, shuffle.patch_size))
    kept = np.sort(rng.permutation(rows * cols)[: max(2, round(rows * cols * (1 - shuffle.drop_ratio)))])
    places = np.full(rows * cols, -1)
    places[kept] = np.arange(len(kept))
    grid = places.reshape(rows, cols)
    pieces = np.ascontiguousarray(plain_cores(mixed, shuffle)[kept])
    pieces = with_noise(pieces, shuffle.noise, rng)
    streams, measures, piece = measured(with_tone(pieces, rng) if shuffle.tone else pieces, codes, model)
    seams = [_seams(grid, codes)]
    if len(streams) > 1:
        seams.append(_seams(grid.T, [transposed(code) for code in codes]))
    return Example(tuple(s.astype(np.uint8) for s in streams), measures.astype(np.float16), tuple(seams), piece)


def _seams(grid: np.ndarray, codes: Sequence[int]) -> np.ndarray:
    """Return the true neighbours among items when the whole grid is turned by each code: (S, 2)."""
    found = []
    for number, code in enumerate(codes):
        turned = turn_grid(grid, code)
        left, right = turned[:, :-1].ravel(), turned[:, 1:].ravel()
        both = (left >= 0) & (right >= 0)
        found.append(np.stack([left[both], right[both]], axis=1) * len(codes) + number)
    return np.concatenate(found)


def mirrored(found: Example, flips: int) -> Example:
    """Return an example of the picture mirrored left to right (bit 0) or upside down (bit 1), or transposed (bit 2).

    Measures hardly depend on the direction, so they are kept. Examples of
    turned pieces hold all of this already, and oblong ones are not transposed.
    """
    if len(found.streams) == 1:
        return found
    (first, second), measures, (right, down) = found.streams, found.measures, found.seams
    rightwards, downwards = measures
    if flips & 1:
        first, second = first[:, :, ::-1], second[:, ::-1]
        rightwards, right = rightwards.swapaxes(1, 2), right[:, ::-1]
    if flips & 2:
        first, second = first[:, ::-1], second[:, :, ::-1]
        downwards, down = downwards.swapaxes(1, 2), down[:, ::-1]
    if flips & 4 and first.shape == second.shape:
        first, second, rightwards, downwards, right, down = second, first, downwards, rightwards, down, right
    return Example((first, second), np.stack([rightwards, downwards]), (right, down), found.piece)
