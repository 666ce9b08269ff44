"""Random shuffling (RS): the patches of an image change places.

Source: Hao et al., "Human-Imperceptible, Machine-Recognizable Images",
arXiv 2306.03679, section 3.2. Gap, drop, orient, window, tone and noise are ours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from ..errors import InvalidValueError
from . import checks, turns
from .grid import PatchGrid, as_patches
from .noise import MOST, Noise
from .tone import Tone, check_tonable

MANY = 1000  # numbers from which on a sort is the faster shuffle


class RandomSource(Protocol):
    """Source of random numbers: a :class:`numpy.random.Generator` or a :class:`.keyed.KeyedSource`."""

    def permutation(self, n: int, /) -> np.ndarray:
        """Return 0 .. n - 1 in random order, int64 (n,)."""

    def integers(self, high: int, /, *, size: int) -> np.ndarray:
        """Return int64 (size,) in [0, high)."""


@dataclass(frozen=True)
class ShuffleParams:
    """Public parameters of a shuffle. Knowing them does not undo it.

    Args:
        patch_size: an int, or (h, w), in pixels.
        gap: pixels removed on every side of each patch. The rest of the
            patch, its core, is (h - 2 gap, w - 2 gap); cores are laid side by
            side, so the encrypted image is smaller.
        drop_ratio: least share of patches thrown away, in [0, 1). The kept ones
            fill a full rectangle: of all rectangles of at most as many rows
            and columns as the grid, and at most (1 - drop_ratio) of its
            patches, the one of most patches; among equals the one whose sides
            are nearest to the grid's own proportion, then the wider.
        orient: give each patch a random one of the 8 (square) or 4 (oblong)
            flips and rotations.
        window: permute only within windows of ``window`` x ``window`` places,
            counted from the top left; those at the right and bottom border
            may be smaller. With ``drop_ratio`` the windows lie on the kept
            rectangle, which the kept patches fill in their plain order first.
        remainder: ``'error'``, ``'pad'`` or ``'crop'``, see :class:`PatchGrid`.
        tone: change the order of the colours, the direction and the level of each
            channel of each patch at random, without loss; see :mod:`.tone`.
            Needs images of whole levels.
        noise: standard deviation, in levels of 8 bits, of the noise that is added to each
            value before the tone; at most 128, 0 is none. Whoever knows the draws can take it
            away, but for values that stopped at black or white; see :mod:`.noise`. Needs images of whole levels.

    Raises:
        InvalidTypeError, InvalidValueError: a value that is not accepted.
    """

    patch_size: Any = 16
    gap: int = 0
    drop_ratio: float = 0.0
    orient: bool = False
    window: int | None = None
    remainder: str = 'error'
    tone: bool = False
    noise: int = 0

    def __post_init__(self) -> None:
        def keep(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        keep('patch_size', checks.pair('patch_size', self.patch_size, 1))
        keep('gap', checks.whole('gap', self.gap, 0))
        keep('drop_ratio', checks.share('drop_ratio', self.drop_ratio))
        keep('orient', checks.flag('orient', self.orient))
        keep('tone', checks.flag('tone', self.tone))
        keep('noise', checks.whole('noise', self.noise, 0))
        if self.noise > MOST:
            raise InvalidValueError(f'noise must be at most {MOST} levels of 8 bits, got {self.noise}')
        checks.one_of('remainder', self.remainder, checks.REMAINDERS)
        if self.window is not None:
            keep('window', checks.whole('window', self.window, 2))
        if 2 * self.gap >= min(self.patch_size):
            raise InvalidValueError(
                f'gap {self.gap} leaves nothing of a patch of {self.patch_size[0]} x {self.patch_size[1]}: '
                f'it must be less than half the shorter side, at most {(min(self.patch_size) - 1) // 2}'
            )

    @property
    def core_size(self) -> tuple[int, int]:
        """(h, w) in pixels of what is left of a patch: the model's patch size."""
        return self.patch_size[0] - 2 * self.gap, self.patch_size[1] - 2 * self.gap

    def plan(self, plain_shape: tuple[int, ...], rng: RandomSource) -> ShufflePlan:
        """Sample where each patch goes, how it is turned and toned, and the noise.

        Draws, in this order: without windows, the patches to keep in their new
        order (drawn again while it is the plain order); with windows, one
        permutation each, row by row (likewise), then the patches to keep, if
        any are dropped; then the orientations; then the tones; and last the noise.

        Args:
            plain_shape: (h, w), or an image's whole shape.
            rng: a :class:`numpy.random.Generator`, or an object with its
                ``permutation(n)`` and ``integers(high, size=)``.

        Returns:
            ShufflePlan

        Raises:
            InvalidValueError: a size that cannot be cut into patches, a single
                patch, or a ``drop_ratio`` that leaves none.
        """
        grid, shape = _layout(self, tuple(plain_shape[:2]))
        total, kept = grid.shape[0] * grid.shape[1], shape[0] * shape[1]
        if self.window is None:
            permutation = _draw(total, kept, rng)
        else:
            permutation = _within_windows(shape, self.window, rng)
            if kept < total:
                permutation = np.sort(_draw(total, kept, rng))[permutation]
        orientation = None
        if self.orient:
            codes = len(turns.codes_of(self.patch_size))
            orientation = 8 // codes * rng.integers(codes, size=kept)
        tone = Tone.draw(kept, rng) if self.tone else None
        noise = Noise.draw(self.noise, rng) if self.noise else None
        return ShufflePlan(grid, self.gap, shape, permutation, orientation, tone, noise)


@lru_cache(maxsize=64)
def _layout(params: ShuffleParams, plain_shape: tuple[int, int]) -> tuple[PatchGrid, tuple[int, int]]:
    """(PatchGrid, (rows, columns) of the kept rectangle) for images of (h, w)."""
    grid = PatchGrid(plain_shape, params.patch_size, params.remainder)
    if grid.shape == (1, 1):
        (h, w), (ph, pw) = grid.plain_shape, params.patch_size
        raise InvalidValueError(
            f'an image of {h} x {w} (h x w) holds a single patch of {ph} x {pw}: '
            'there is nothing to shuffle; use smaller patches'
        )
    return grid, kept_shape(grid.shape, params.drop_ratio)


def kept_shape(grid_shape: tuple[int, int], drop_ratio: float) -> tuple[int, int]:
    """(rows, columns) of the rectangle that the kept patches fill.

    The rule stands in :class:`ShuffleParams`.

    Raises:
        InvalidValueError: nothing would be left.
    """
    rows, cols = grid_shape
    if drop_ratio == 0:
        return rows, cols
    most = int(rows * cols * (1 - drop_ratio) + 1e-9)
    if most < 1:
        least = 1 - 1 / (rows * cols)
        raise InvalidValueError(
            f'drop_ratio {drop_ratio} leaves none of the {rows} x {cols} patches: at most {least:.4g} leaves one'
        )
    shapes = [(r, min(cols, most // r)) for r in range(1, min(rows, most) + 1)]
    return max(shapes, key=lambda s: (s[0] * s[1], -abs(s[0] * cols - s[1] * rows), s[1]))


def _draw(total: int, kept: int, rng: RandomSource) -> np.ndarray:
    """Draw ``kept`` of ``total`` items, int64 (kept,); two or more are never in ascending order."""
    while True:
        order = _permutation(total, rng)[:kept]
        if kept < 2 or order[0] > order[1] or (order[1:] < order[:-1]).any():
            return order


def _permutation(n: int, rng: RandomSource) -> np.ndarray:
    """Return a random permutation, int64 (n,); for many items by sorting random keys, which is faster in NumPy.

    A key has 63 bits, the low ones the number itself. Two random parts are equal
    in one of ten million permutations of 10,000; the lower number then comes first.
    """
    if n < MANY or not isinstance(rng, np.random.Generator):
        return rng.permutation(n)
    bits = n.bit_length()
    keys = rng.integers(1 << (63 - bits), size=n)
    keys <<= bits
    keys |= np.arange(n)
    keys.sort()
    keys &= (1 << bits) - 1
    return keys


def _within_windows(shape: tuple[int, int], window: int, rng: RandomSource) -> np.ndarray:
    """Permute within windows, int64 (rows * columns,); no window of two or more places stays as it is."""
    rows, cols = shape
    if window < max(shape) and rows % window == 1 and cols % window == 1:
        warnings.warn(
            f'window {window} on {rows} x {cols} patches leaves a window of one patch in the bottom right '
            'corner, which stays where it is',
            stacklevel=4,  # whoever called Scheme.plan
        )
    places = np.arange(rows * cols).reshape(shape)
    moved = np.empty_like(places)
    for top in range(0, rows, window):
        for left in range(0, cols, window):
            here = np.s_[top : top + window, left : left + window]
            block = places[here]
            moved[here] = block.ravel()[_draw(block.size, block.size, rng)].reshape(block.shape)
    return moved.ravel()


@lru_cache(maxsize=16)
def _runs(shape: tuple[int, int], columns: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Index a list of runs, each one line of one patch, by place.

    Args:
        shape: (rows, columns) of the places that the runs are written to.
        columns: patch columns of the image that they are read from.
        height: lines of a patch.

    Returns:
        int64 (shape[0] * shape[1],), the first line of each place; and int64
        (height * columns,), the offset of each line of a row of patches.
    """
    place = np.arange(shape[0] * shape[1])
    behind = np.arange(0, height * shape[1], shape[1])
    return place + place // shape[1] * (height - 1) * shape[1], behind.repeat(columns)


@dataclass(frozen=True, eq=False)
class ShufflePlan:
    """The place of each patch of one image. Made by :meth:`ShuffleParams.plan`.

    Attributes:
        grid: the :class:`PatchGrid` of the plain image.
        gap: pixels removed on every side of each patch.
        shape: (rows, columns) of the encrypted image's places.
        permutation: int64 (rows * columns,); place i, counted row by row,
            holds plain patch ``permutation[i]``, counted the same way.
        orientation: int64 (rows * columns,) or None; the patch at place i was
            turned by the code ``orientation[i]`` of :mod:`.turns`.
        tone: the :class:`.tone.Tone` of the places, or None.
        noise: the :class:`.noise.Noise` of the values, or None.
    """

    grid: PatchGrid
    gap: int
    shape: tuple[int, int]
    permutation: np.ndarray = field(repr=False)
    orientation: np.ndarray | None = field(default=None, repr=False)
    tone: Tone | None = field(default=None, repr=False)
    noise: Noise | None = field(default=None, repr=False)

    @property
    def plain_shape(self) -> tuple[int, int]:
        """(h, w) of the plain image."""
        return self.grid.plain_shape

    @property
    def core_size(self) -> tuple[int, int]:
        """(h, w) of a patch in the encrypted image."""
        ph, pw = self.grid.patch_size
        return ph - 2 * self.gap, pw - 2 * self.gap

    @property
    def encrypted_shape(self) -> tuple[int, int]:
        """(h, w) of the encrypted image."""
        return self.shape[0] * self.core_size[0], self.shape[1] * self.core_size[1]

    @property
    def places(self) -> np.ndarray:
        """int64 (patches,): the place of each plain patch, -1 where it was dropped."""
        places = np.full(self.grid.shape[0] * self.grid.shape[1], -1)
        places[self.permutation] = np.arange(self.permutation.size)
        return places

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Shuffle an image; the input is not changed.

        Args:
            image: (H, W) or (H, W, C), uint8, uint16 or, without tone and noise, float32; any strides.

        Returns:
            ndarray: C-contiguous, of ``encrypted_shape`` (plus C), same dtype.

        Raises:
            InvalidTypeError, InvalidValueError: not such an image, or not of ``plain_shape``.
        """
        checks.check_image(image, *self.plain_shape)
        if self.tone is None and self.noise is None:
            return self.move(image)
        check_tonable(image, 'noise' if self.tone is None else 'tone')
        encrypted = self.move(image)
        if self.noise is not None:
            self.noise.apply(encrypted)
        if self.tone is not None:
            self.tone.apply(encrypted, self.shape)
        return encrypted

    def move(self, array: np.ndarray, pad_value: int | None = None) -> np.ndarray:
        """Move and turn values with the pixels, without tone and noise: masks, labels or coordinates.

        Args:
            array: (H, W) or (H, W, C), uint8, uint16 or float32, any strides.
            pad_value: what ``remainder='pad'`` adds, as for masks; None repeats
                the last row and column.

        Returns:
            ndarray: C-contiguous, of ``encrypted_shape`` (plus C), same dtype.

        Raises:
            InvalidTypeError, InvalidValueError: as :meth:`apply`.
        """
        checks.check_image(array, *self.plain_shape)
        encrypted = self._scatter(np.ascontiguousarray(self.grid.fit(array, pad_value)))
        if self.orientation is not None:
            turns.turn_patches(encrypted, self.orientation, self.shape)
        return encrypted

    def invert(self, image: np.ndarray, fill: int = 0) -> np.ndarray:
        """Put every patch back; the input is not changed.

        Args:
            image: an encrypted image of ``encrypted_shape`` (plus C).
            fill: value for the pixels that the shuffle threw away,
                see :meth:`missing`.

        Returns:
            ndarray: of ``plain_shape`` (plus C). Without gap, drop, crop and
            noise it is the plain image bit for bit. Values that noise
            moved to the least or the greatest level come back changed.

        Raises:
            InvalidTypeError, InvalidValueError: not such an image.
        """
        checks.check_image(image, *self.encrypted_shape)
        if self.orientation is not None or self.tone is not None or self.noise is not None:
            image = image.copy()
        if self.tone is not None:
            self.tone.invert(image, self.shape)
        if self.noise is not None:
            check_tonable(image, 'noise')
            self.noise.invert(image)
        if self.orientation is not None:
            turns.turn_patches(image, turns.inverse(self.orientation), self.shape)
        fitted = np.full(self.grid.fitted_shape + image.shape[2:], fill, dtype=image.dtype)
        cores = as_patches(np.ascontiguousarray(image), *self.shape)
        self._cores(fitted)[np.divmod(self.permutation, self.grid.shape[1])] = cores.reshape((-1,) + cores.shape[2:])
        return self.grid.unfit(fitted, fill)

    def missing(self) -> np.ndarray:
        """Bool (h, w) of ``plain_shape``: True where the plain pixel is lost."""
        fitted = np.ones(self.grid.fitted_shape, dtype=bool)
        self._cores(fitted)[np.divmod(self.permutation, self.grid.shape[1])] = False
        return self.grid.unfit(fitted, fill=True)

    def _cores(self, fitted: np.ndarray) -> np.ndarray:
        """View a fitted plain image as (rows, cols, core h, core w[, C])."""
        (ph, pw), gap = self.grid.patch_size, self.gap
        return as_patches(fitted, *self.grid.shape)[:, :, gap : ph - gap, gap : pw - gap]

    def _scatter(self, fitted: np.ndarray) -> np.ndarray:
        """Move the cores of a C-contiguous fitted image to their places.

        One row of a core is a contiguous run, handled as one opaque item. The
        image is read in order and the runs are written to their places, which
        is faster than a gather that jumps through memory. All runs of dropped
        patches go to one spare item.
        """
        (rows, cols), (ch, cw), gap = self.grid.shape, self.core_size, self.gap
        ph, pw = self.grid.patch_size
        line, pixel = fitted.strides[:2]
        run = f'V{cw * pixel}'
        first_core, strides = gap * (line + pixel), (ph * line, line, pw * pixel)
        source = np.ndarray((rows, ch, cols), run, fitted, first_core, strides)
        kept = self.permutation.size
        target = np.empty(kept * ch + 1, run)
        first = np.full(rows * cols, kept * ch) if kept < rows * cols else np.empty(kept, np.int64)
        starts, behind = _runs(self.shape, cols, ch)
        first[self.permutation] = starts
        index = first.reshape(rows, 1, cols).repeat(ch, axis=1).reshape(rows, -1)
        index += behind
        # 'clip': every line of a dropped patch goes to the spare item
        target.put(index, source, mode='clip')
        return np.ndarray(self.encrypted_shape + fitted.shape[2:], fitted.dtype, target)
