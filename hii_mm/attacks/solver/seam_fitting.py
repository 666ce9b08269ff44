"""Fit a seam model to crops of public photographs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from ...encryption import Scheme
from ...errors import InvalidValueError
from ...progress import Progress
from .grids import shuffle_of
from .pieces import as_uint8, before_shuffle, plain_cores
from .seam_measures import Side, raw_measures
from .seam_weights import ENTRIES, LEAST, fit_weights, questions
from .student import StudentT, fit_density
from .tone_fitting import Picture, tone_fitted
from .values import with_noise, with_tone
from .windows import Window, contrasts, level_free, sides

WINDOWS = (
    Window(1, 1), Window(2, 1), Window(4, 1), Window(1, 3), Window(2, 3), Window(3, 2),
    Window(2, 1, True), Window(2, 3, True),
)  # fmt: skip
MIXED = (Window(8, 2), Window(4, 4), Window(3, 8))  # besides, for mixed pieces: half of what goes on lies further in
SIDE = 224  # pixels of the short side of the smallest plain images that are supposed
MOST = 28  # pieces along the side of a crop
CROPS = 216  # for the densities, and half as many others for the weights
SAMPLES = 40_000  # windows for a density


def fit_sides(photos: Sequence[np.ndarray], scheme: Scheme, seed: int, progress: Progress) -> list[Side]:
    """Return the fitted model for "right of", and for "below" unless pieces are square; see ``SeamModel.fit``."""
    if not len(photos):
        raise InvalidValueError('seams are fitted to photos, got none')
    shuffle_of(scheme)
    h, w = scheme.core_size
    directions = [False] if h == w else [False, True]
    return [_fit_side(photos, scheme, down, seed, progress) for down in directions]


def _fit_side(photos: Sequence[np.ndarray], scheme: Scheme, down: bool, seed: int, progress: Progress) -> Side:
    rng, gap, half = np.random.default_rng([seed, down]), shuffle_of(scheme).gap, _crops(scheme) // 2
    h, w = scheme.core_size[::-1] if down else scheme.core_size
    toned, turned = shuffle_of(scheme).tone, None if scheme.core_size[0] == scheme.core_size[1] else down
    first = list(_pictures(photos, scheme, _crops(scheme), turned, rng))
    windows, densities = (
        tone_fitted(first, h, w, SAMPLES, rng) if toned else _fitted(first, h, w, scheme.mixup is not None, rng)
    )
    side = Side(windows, densities, np.ones(0, np.float32), np.ones(0, np.float32))
    asked, variances = [], []
    for done, (pieces, seams) in enumerate(_pictures(photos, scheme, half, turned, rng), 1):
        pieces = with_tone(pieces, rng) if toned else pieces
        raw = raw_measures(pieces, pieces, gap, side)
        raw -= raw.mean(axis=(1, 2), keepdims=True)
        variances.append(raw.var(axis=(1, 2)))
        asked.append(questions(raw, seams, max(LEAST, ENTRIES // (2 * half * len(pieces))), rng))
        progress(done, half, 'fitting seams')
    spread = np.sqrt(np.mean(variances, axis=0)).astype(np.float32) + 1e-6
    for part in asked:
        np.divide(part.features, np.tile(spread, 2), out=part.features)
    return side._replace(spread=spread, weights=fit_weights(asked))


def _crops(scheme: Scheme) -> int:
    """Return the number of crops for the densities; of pieces with a tone each one gives three colours."""
    return CROPS // 2 if shuffle_of(scheme).tone else CROPS


def _fitted(
    pictures: Sequence[Picture], h: int, w: int, mixed: bool, rng: np.random.Generator
) -> tuple[tuple[Window, ...], tuple[tuple[StudentT, StudentT], ...]]:
    """Return the windows that fit pieces of (h, w), each once, and their densities."""
    shapes = WINDOWS + MIXED if mixed else WINDOWS
    fitting = (Window(min(s.columns, w), min(s.rows, h), s.contrast and min(h, w) > 1) for s in shapes)
    windows = tuple(dict.fromkeys(fitting))
    return windows, tuple(_densities(pictures, window, rng) for window in windows)


def _pictures(
    photos: Sequence[np.ndarray], scheme: Scheme, count: int, down: bool | None, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pieces of crops, (n, h, w, 3) float32, and their seams, int (S, 2): the left and the right piece.

    Pieces have noise if the shuffle adds some, and no tone.

    Crops are turned to the diagonal if ``down``, or at random if it is None; all are mirrored at random.
    """
    shape = _crop_shape(scheme)
    for number in range(count):
        image = before_shuffle(_crop(photos[number % len(photos)], shape, rng), scheme).round()
        pieces = with_noise(plain_cores(image, shuffle_of(scheme)), shuffle_of(scheme).noise, rng)
        rows, cols = (length // side for length, side in zip(image.shape, shuffle_of(scheme).patch_size))
        index = np.arange(rows * cols).reshape(rows, cols)
        if rng.random() < 0.5 if down is None else down:
            pieces, index = pieces.swapaxes(1, 2), index.T
        yield np.ascontiguousarray(pieces), np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1)


def _crop_shape(scheme: Scheme) -> list[int]:
    """Return (h, w) of a crop in plain pixels: whole patches, at least 3 and at most ``MOST`` along each side."""
    parts = scheme.mixup.grid if scheme.mixup else 1
    steps = [math.lcm(p, s * parts) for p, s in zip(scheme.patch_size, shuffle_of(scheme).patch_size)]
    return [min(MOST, max(3, round(SIDE / step))) * step for step in steps]


def _crop(photo: np.ndarray, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Return a random crop, mirrored at random: (h, w, 3) uint8.

    The scale is between that of the photo and that of a photo whose short
    side is ``SIDE``; photos that are smaller than the crop are enlarged.
    """
    most = min(photo.shape[0] / shape[0], photo.shape[1] / shape[1])
    scale = min(most, max(1.0, min(photo.shape[:2]) / SIDE) ** rng.uniform(0.2, 1))
    h, w = max(1, int(shape[0] * scale)), max(1, int(shape[1] * scale))
    y, x = rng.integers(photo.shape[0] - h + 1), rng.integers(photo.shape[1] - w + 1)
    part = Image.fromarray(as_uint8(photo[y : y + h, x : x + w])).resize(
        (shape[1], shape[0]), Image.Resampling.BILINEAR
    )
    return np.asarray(part)[:, :: -1 if rng.random() < 0.5 else 1]


def _densities(pictures: Sequence[Picture], window: Window, rng: np.random.Generator) -> tuple[StudentT, StudentT]:
    """Fit the densities of true and of random neighbours."""
    basis = level_free(window) if window.contrast else None
    true, chance = [], []
    for pieces, seams in pictures:
        a, b = sides(pieces, pieces, window)
        rows = rng.integers(a.shape[1], size=max(1, SAMPLES // len(pictures)))
        pick = seams[rng.integers(len(seams), size=len(rows))]
        near = np.concatenate([a[pick[:, 0], rows], b[pick[:, 1], rows]], axis=1)
        if window.contrast:
            one, two = contrasts(pieces, pieces, window)
            near /= np.sqrt((one[pick[:, 0], rows] + two[pick[:, 1], rows]) / 2)[:, None]
        true.append(near)
        other = rng.integers(len(pieces), size=len(rows))
        chance.append(np.concatenate([a[pick[:, 0], rows], b[other, rows]], axis=1))
    return fit_density(np.concatenate(true), basis), fit_density(np.concatenate(chance), basis)
