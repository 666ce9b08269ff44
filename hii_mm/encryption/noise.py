"""Noise on each value of an encrypted image, nearly normal. NumPy only.

Each pixel takes four words of 32 bits, one for each channel it may have, so that
the noise of a colour does not depend on whether alpha is there. The sum s of a
word's four bytes has mean 510 and deviation 147.80 (an Irwin-Hall distribution).
The value moves by ``s - 510`` times ``deviation / 147.80`` in whole-number
arithmetic, rounded, and stops at the least and the greatest level. Whoever knows
the draws can take the noise away; values that were stopped come back changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .chacha import chacha20

if TYPE_CHECKING:
    from .shuffle import RandomSource

MOST = 128  # greatest deviation, in levels of 8 bits
MIDDLE = 510  # mean of the sum of four bytes
UNIT = 443  # 65536 / 147.80, so that a sum becomes levels of 8 bits by a shift of 16 bits
WORDS = 1 << 32
SEED = 8  # words of 32 bits
CHANNELS = 4  # drawn for each pixel, whatever the image has
BAND = 1 << 18  # values handled at a time
DEEPER = {1: 1, 2: 257}  # levels of a dtype, by its bytes, that are one level of 8 bits


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise of one image; drawn before the image is seen.

    Attributes:
        deviation: in levels of 8 bits.
        seed: int64 (8,), words in [0, 2**32): little-endian, the key of the ChaCha20 stream that gives
            the words of the values, (h, w, 4) row by row.
        swapped: the image has blue before red, so that these get each other's words.
    """

    deviation: int
    seed: np.ndarray = field(repr=False)
    swapped: bool = False

    @classmethod
    def draw(cls, deviation: int, rng: RandomSource) -> Noise:
        """Draw the seed."""
        return cls(deviation, rng.integers(WORDS, size=SEED))

    def mirrored(self) -> Noise:
        """Return the noise that does to images in the order blue, green, red what this one does to red, green, blue."""
        return replace(self, swapped=not self.swapped)

    def apply(self, image: np.ndarray) -> None:
        """Add the noise to an image, (h, w[, C]) uint8 or uint16, in place."""
        self._move(image, 1)

    def invert(self, image: np.ndarray) -> None:
        """Take the noise away, in place; exact where no value was clipped."""
        self._move(image, -1)

    def _move(self, image: np.ndarray, sign: int) -> None:
        """Move the values of some rows at a time: few enough to stay in a cache."""
        stream = chacha20(self.seed.astype('<u4').tobytes())
        most, deeper = int(np.iinfo(image.dtype).max), DEEPER[image.dtype.itemsize]
        step = max(1, BAND // image[0].size)
        for top in range(0, len(image), step):
            band = image[top : top + step]
            pixels = band.reshape(*band.shape[:2], -1)
            words = np.frombuffer(stream(CHANNELS * pixels[..., 0].size), '<u4').reshape(*pixels.shape[:2], CHANNELS)
            words = words[..., self._channels(pixels.shape[2])]
            sums = byte_sums(words).astype(np.int64).reshape(band.shape)
            band[...] = np.clip(band + sign * scaled(sums, self.deviation, deeper), 0, most)

    def _channels(self, count: int) -> list[int]:
        """Return which of the words of a pixel its channels take."""
        return ([2, 1, 0, 3] if self.swapped and count > 2 else [0, 1, 2, 3])[:count]


def byte_sums(words: Any) -> Any:
    """Return the sums of the four bytes of words of 32 bits, an array or a tensor, in [0, 1020]."""
    pairs = (words & 0x00FF00FF) + (words >> 8 & 0x00FF00FF)
    return (pairs & 0xFFFF) + (pairs >> 16)


def scaled(sums: Any, deviation: int, deeper: int) -> Any:
    """Return sums of four bytes, int64, as noise of a deviation, in levels: rounded, halves up."""
    return ((sums - MIDDLE) * (UNIT * deviation * deeper) + (1 << 15)) >> 16
