"""The grid of equal patches that an image is cut into. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InvalidValueError
from . import checks


@dataclass(frozen=True)
class PatchGrid:
    """The patches of one image size. All pairs are (h, w), in pixels.

    Args:
        plain_shape: (h, w) of the plain image.
        patch_size: an int, or (h, w).
        remainder: what happens where h or w is not a multiple of the patch:
            ``'error'`` refuses, ``'pad'`` repeats the last row and column at
            the bottom and right until it is, ``'crop'`` leaves out the rest
            at the bottom and right.

    Raises:
        InvalidTypeError: sizes that are not whole numbers.
        InvalidValueError: sizes below 1, a patch larger than the image (for
            ``'error'`` and ``'crop'``), or an odd size under ``'error'``.
    """

    plain_shape: tuple[int, int]
    patch_size: tuple[int, int]
    remainder: str = 'error'

    def __post_init__(self) -> None:
        object.__setattr__(self, 'plain_shape', checks.pair('image size', tuple(self.plain_shape), 1))
        object.__setattr__(self, 'patch_size', checks.pair('patch_size', self.patch_size, 1))
        checks.one_of('remainder', self.remainder, checks.REMAINDERS)
        (h, w), (ph, pw) = self.plain_shape, self.patch_size
        if self.remainder == 'pad':
            return
        if ph > h or pw > w:
            raise InvalidValueError(
                f'patch_size {ph} x {pw} is larger than the image, {h} x {w} (h x w); '
                f'use a patch of at most {h} x {w}' + (", or remainder='pad'" if self.remainder == 'error' else '')
            )
        if self.remainder == 'error' and (h % ph or w % pw):
            raise InvalidValueError(
                f'image size {h} x {w} (h x w) is not a multiple of patch_size {ph} x {pw}: '
                f"resize it to {h - h % ph} x {w - w % pw}, or choose remainder='pad' or 'crop'"
            )

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        (h, w), (ph, pw) = self.plain_shape, self.patch_size
        if self.remainder == 'pad':
            return -(-h // ph), -(-w // pw)
        return h // ph, w // pw

    @cached_property
    def fitted_shape(self) -> tuple[int, int]:
        """(h, w) after padding or cropping: a multiple of the patch size."""
        return self.shape[0] * self.patch_size[0], self.shape[1] * self.patch_size[1]

    def fit(self, image: np.ndarray, pad_value: int | None = None) -> np.ndarray:
        """Pad or crop (H, W[, C]) to ``fitted_shape``; a view unless padded.

        Padding repeats the last row and column, or is ``pad_value`` where given.
        """
        h, w = self.fitted_shape
        down, right = max(0, h - image.shape[0]), max(0, w - image.shape[1])
        if down or right:
            how: dict[str, Any] = {'mode': 'edge'} if pad_value is None else {'constant_values': pad_value}
            return np.pad(image, [(0, down), (0, right)] + [(0, 0)] * (image.ndim - 2), **how)
        return image[:h, :w]

    def unfit(self, fitted: np.ndarray, fill: int | bool = 0) -> np.ndarray:
        """Undo :meth:`fit`: cut the padding off, set the cropped pixels to ``fill``."""
        h, w = self.plain_shape
        if fitted.shape[0] >= h and fitted.shape[1] >= w:
            return fitted[:h, :w]
        plain = np.full((h, w) + fitted.shape[2:], fill, dtype=fitted.dtype)
        plain[: fitted.shape[0], : fitted.shape[1]] = fitted
        return plain


def as_patches(image: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """View (rows * h, cols * w[, C]) as (rows, cols, h, w[, C]), without a copy.

    ``image`` must be C-contiguous in its last axes, as a fresh array is.
    """
    h, w = image.shape[0] // rows, image.shape[1] // cols
    split = image.reshape((rows, h, cols, w) + image.shape[2:])
    return split.swapaxes(1, 2)
