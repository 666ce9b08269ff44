"""The tone of a patch: order of its colours, inversion and level, without loss. NumPy only.

Of each channel of a core, lo and hi are the least and the greatest level. The
colours change places; then a channel may be inverted, x -> lo + hi - x; then
its range moves to lo' = (lo + k) mod (MAX + 1 - (hi - lo)). The width of a
range stays, so whoever knows the draws can read it and undo all of it. A gain
is left out: on whole levels no gain can be undone that keeps levels in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from .shuffle import RandomSource

CHANNELS = 4  # drawn for each patch, whatever the image has
WORDS = 1 << 32
BAND = 1 << 18  # values handled at a time: few enough to stay in a cache
# the channel of the core that each colour of the encrypted patch shows, by code
ORDERS = np.array([(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
INVERSE = np.array([0, 1, 2, 4, 3, 5])
MIRRORED = np.array([0, 2, 1, 4, 3, 5])  # the code that does to blue, green, red what a code does to red, green, blue


@dataclass(frozen=True, eq=False)
class Tone:
    """The tone of each patch of one image, by place; drawn before the image is seen.

    Attributes:
        order: int64 (n,), codes of ``ORDERS``. Images of one or two channels do not use it.
        inverted: bool (n, 4), whether a channel of the encrypted patch is inverted.
        level: int64 (n, 4), words u in [0, 2**32). A range moves by
            k = floor(u * room / 2**32) of the ``room`` levels that its least one
            may have. As room <= 2**16, no k is likelier than another by more than 1 in 2**16.
    """

    order: np.ndarray = field(repr=False)
    inverted: np.ndarray = field(repr=False)
    level: np.ndarray = field(repr=False)

    @classmethod
    def draw(cls, count: int, rng: RandomSource) -> Tone:
        """Draw the tone of ``count`` patches: all orders, then all inversions, then all levels."""
        order, bits = rng.integers(len(ORDERS), size=count), rng.integers(1 << CHANNELS, size=count)
        level = rng.integers(WORDS, size=count * CHANNELS).reshape(count, CHANNELS)
        return cls(order, (bits[:, None] >> np.arange(CHANNELS) & 1).astype(bool), level)

    def mirrored(self) -> Tone:
        """Return the tone that does to images in the order blue, green, red what this one does to red, green, blue."""
        swapped = [2, 1, 0, 3]
        return Tone(MIRRORED[self.order], self.inverted[:, swapped], self.level[:, swapped])

    def apply(self, image: np.ndarray, shape: tuple[int, int]) -> None:
        """Give each patch its tone, in place.

        Args:
            image: C-contiguous (rows * h, columns * w[, C]), uint8 or uint16. Of 2 or 4
                channels the last one is alpha, which keeps its place. Cores
                (n, h, w, C) are such an image if reshaped to (n * h, w, C), of shape (n, 1).
            shape: (rows, columns); their product is the number of patches.

        Raises:
            InvalidTypeError, InvalidValueError: see :func:`check_tonable`.
        """
        for band, part, columns, channels in self._bands(image, shape):
            if channels > 2:
                _reorder(band, part.order, columns, channels)
            part._move(band, columns, channels, 1)

    def invert(self, image: np.ndarray, shape: tuple[int, int]) -> None:
        """Undo :meth:`apply`, in place."""
        for band, part, columns, channels in self._bands(image, shape):
            part._move(band, columns, channels, -1)
            if channels > 2:
                _reorder(band, INVERSE[part.order], columns, channels)

    def _bands(self, image: np.ndarray, shape: tuple[int, int]) -> Iterator[tuple[np.ndarray, Tone, int, int]]:
        """Yield some rows of patches, a view (rows, h, columns * w * C), their tone, the columns and C."""
        check_tonable(image)
        (rows, columns), channels = shape, 1 if image.ndim == 2 else image.shape[2]
        lines = image.reshape(rows, len(image) // rows, -1)
        step = max(1, BAND // lines[0].size)
        for top in range(0, rows, step):
            here = slice(top * columns, (top + step) * columns)
            part = Tone(self.order[here], self.inverted[here, :channels], self.level[here, :channels])
            yield lines[top : top + step], part, columns, channels

    def _move(self, band: np.ndarray, columns: int, channels: int, sign: int) -> None:
        """Move the range of each channel up or down (sign 1 or -1), inverted or not."""
        least, most = (_extremes(band, columns, channels, extreme) for extreme in (np.minimum, np.maximum))
        room = int(np.iinfo(band.dtype).max) + 1 - (most - least)
        moved = (least + sign * (self.level * room >> 32)) % room
        # -x is ~x + 1, modulo the number of levels
        add = np.where(self.inverted, moved + most + 1, moved - least).astype(band.dtype)
        flip = np.where(self.inverted, np.iinfo(band.dtype).max, 0).astype(band.dtype)
        width = band.shape[2] // columns // channels
        for operation, values in ((np.bitwise_xor, flip), (np.add, add)):
            line = values[:, None].repeat(width, axis=1).reshape(len(band), 1, -1)
            operation(band, line, out=band)


def check_tonable(image: np.ndarray, what: str = 'tone') -> None:
    """Check that tone, or noise, can be given to the pixels of an image.

    Raises:
        InvalidTypeError: levels that are not whole numbers.
        InvalidValueError: more than four channels.
    """
    if image.dtype.kind != 'u':
        raise InvalidTypeError(
            f'{what} needs whole levels, uint8 or uint16, got {image.dtype.name}: encrypt before images become floats, '
            'or round them: image.round().clip(0, 255).astype(numpy.uint8)'
        )
    if image.ndim == 3 and image.shape[2] > CHANNELS:
        raise InvalidValueError(f'{what} is defined for images of at most {CHANNELS} channels, got {image.shape[2]}')


def _extremes(band: np.ndarray, columns: int, channels: int, extreme: np.ufunc) -> np.ndarray:
    """(rows, h, columns * w * C) -> int64 (rows * columns, C), the least or greatest level of each channel."""
    lines = extreme.reduce(band, axis=1).reshape(len(band) * columns, -1, channels)
    return extreme.reduce(np.ascontiguousarray(lines.transpose(1, 2, 0)), axis=0).T.astype(np.int64)


def _reorder(band: np.ndarray, order: np.ndarray, columns: int, channels: int) -> None:
    """Put the colours of each patch in its order, in place; a fourth channel stays.

    A colour comes from at most two values before or behind it in memory. Whole
    lines are moved by each such distance and masked, which is faster than an index.
    """
    width = band.shape[2] // columns // channels
    source = np.concatenate([ORDERS, np.full((len(ORDERS), 1), 3)], axis=1)[:, :channels]
    distance = np.tile(source - np.arange(channels), width)  # (codes, w * C)
    around = np.empty(band.size + 4, band.dtype)  # two more at each end, which masks hide
    around[2:-2], part = band.ravel(), np.empty_like(band)
    for shift in range(-2, 3):
        mask = np.where(distance == shift, np.iinfo(band.dtype).max, 0).astype(band.dtype)
        shifted = around[2 + shift : 2 + shift + band.size].reshape(band.shape)
        np.bitwise_and(shifted, mask[order].reshape(len(band), 1, -1), out=part if shift > -2 else band)
        if shift > -2:
            band |= part
