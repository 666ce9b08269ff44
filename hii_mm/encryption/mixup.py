"""Mixing-up (MI): the sub-patches of each patch are averaged into one.

Source: Hao et al., "Human-Imperceptible, Machine-Recognizable Images",
arXiv 2306.03679, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidValueError
from . import checks
from .grid import PatchGrid

BAND = 1 << 18  # values added at a time: few enough to stay in a cache and in memory that is already mapped


@dataclass(frozen=True)
class MixupParams:
    """Parameters of mixing-up. All of them are public: mixing has no secret.

    Args:
        patch_size: an int, or (h, w), in pixels.
        grid: each patch is cut into ``grid`` x ``grid`` sub-patches.
        remainder: ``'error'``, ``'pad'`` or ``'crop'``, see :class:`PatchGrid`.

    Raises:
        InvalidTypeError, InvalidValueError: a value that is not accepted, or
            a patch size that is not a multiple of ``grid``.
    """

    patch_size: Any = 16
    grid: int = 2
    remainder: str = 'error'

    def __post_init__(self) -> None:
        object.__setattr__(self, 'patch_size', checks.pair('patch_size', self.patch_size, 1))
        object.__setattr__(self, 'grid', checks.whole('grid', self.grid, 2))
        checks.one_of('remainder', self.remainder, checks.REMAINDERS)
        if any(side % self.grid for side in self.patch_size):
            raise InvalidValueError(
                f'patch_size {self.patch_size[0]} x {self.patch_size[1]} is not a multiple of grid {self.grid}'
            )

    @property
    def core_size(self) -> tuple[int, int]:
        """(h, w) in pixels of what is left of a patch: the model's patch size."""
        return self.patch_size[0] // self.grid, self.patch_size[1] // self.grid

    def plan(self, plain_shape: tuple[int, ...]) -> MixupPlan:
        """Return the plan for an image of (h, w). Nothing is random.

        Raises:
            InvalidValueError: a size that cannot be cut into patches.
        """
        h, w = plain_shape[:2]
        return MixupPlan(PatchGrid((h, w), self.patch_size, self.remainder), self.grid)


@dataclass(frozen=True)
class MixupPlan:
    """The mixing of images of one size. Made by :meth:`MixupParams.plan`.

    Attributes:
        grid: the :class:`PatchGrid` of the plain image.
        parts: sub-patches along each side of a patch.
    """

    grid: PatchGrid
    parts: int

    @property
    def plain_shape(self) -> tuple[int, int]:
        """(h, w) of the plain image."""
        return self.grid.plain_shape

    @property
    def encrypted_shape(self) -> tuple[int, int]:
        """(h, w) of the mixed image."""
        h, w = self.grid.fitted_shape
        return h // self.parts, w // self.parts

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Average the sub-patches; the input is not changed.

        Integers are rounded half up, ``(sum + g*g//2) // (g*g)``; floats are
        the mean. Mixing has no inverse: g*g - 1 of g*g values are lost.

        Args:
            image: (H, W) or (H, W, C), uint8, uint16 or float32, any strides.

        Returns:
            ndarray: of ``encrypted_shape`` (plus C), same dtype.

        Raises:
            InvalidTypeError, InvalidValueError: not such an image, or not of ``plain_shape``.
        """
        checks.check_image(image, *self.plain_shape)
        fitted = np.ascontiguousarray(self.grid.fit(image))
        (rows, cols), g = self.grid.shape, self.parts
        ph, pw = self.grid.patch_size
        lines = fitted.reshape(rows, g, ph // g, -1)
        out = np.empty((rows, ph // g * lines.shape[3] // g), fitted.dtype)
        run = lines.shape[3] // (cols * g)  # values in a line of a sub-patch
        band = max(1, BAND // lines[0, 0].size)
        for top in range(0, rows, band):
            _mix(lines[top : top + band], run, out[top : top + band])
        return out.reshape(self.encrypted_shape + fitted.shape[2:])

    def apply_mask(self, mask: np.ndarray, pad_value: int = 0) -> np.ndarray:
        """Shrink labels (H, W[, N]) by taking the one at the middle of each g x g square.

        Args:
            mask: of ``plain_shape``, any dtype.
            pad_value: label of what ``remainder='pad'`` adds.
        """
        half = self.parts // 2
        return np.ascontiguousarray(self.grid.fit(mask, pad_value)[half :: self.parts, half :: self.parts])

    def restore_mask(self, mask: np.ndarray, fill: int = 0) -> np.ndarray:
        """Enlarge labels (h, w[, N]) of the mixed image: each one fills its g x g square of the plain image.

        Args:
            mask: of ``encrypted_shape``, any dtype.
            fill: label of pixels that ``remainder='crop'`` cut off.
        """
        return self.grid.unfit(mask.repeat(self.parts, 0).repeat(self.parts, 1), fill)

    def move_points(self, xy: np.ndarray) -> np.ndarray:
        """Shrink xy coordinates in pixels with the image: (n, 2) or, for boxes, (n, 4)."""
        return np.asarray(xy) * (1 / self.parts)

    def shown(self, plain_hw: tuple[int, int]) -> tuple[float, float]:
        """Return how much of the mixed image, (h, w) in pixels, shows ``plain_hw`` and not padding."""
        h, w = (min(length, fitted) / self.parts for length, fitted in zip(plain_hw, self.grid.fitted_shape))
        return h, w


def _mix(lines: np.ndarray, run: int, out: np.ndarray) -> None:
    """Average the sub-patches of some rows of patches.

    Args:
        lines: (r, g, sub-patch height, g * columns * run), the image's lines.
        run: values in a line of a sub-patch.
        out: (r, sub-patch height * columns * run), written.
    """
    g = lines.shape[1]
    wide = _wide(lines.dtype, g)
    total = lines[:, 0].astype(wide)  # whole lines are added first
    for i in range(1, g):
        total += lines[:, i]
    # then runs of a sub-patch's line, copied out as opaque items: far faster than adding runs so short
    runs = total.reshape(-1).view((np.void, run * wide.itemsize)).reshape(-1, g)
    total = runs[:, 0].copy().view(wide)
    for i in range(1, g):
        total += runs[:, i].copy().view(wide)
    if lines.dtype.kind == 'u':
        total += g * g // 2
        total //= g * g
    else:
        total /= g * g
    out[...] = total.reshape(out.shape)


def _wide(dtype: np.dtype, g: int) -> np.dtype:
    """Return the narrowest dtype that holds the sum of g*g values and the rounding."""
    if dtype.kind == 'f':
        return np.dtype(dtype)
    return np.min_scalar_type(int(np.iinfo(dtype).max) * g * g + g * g // 2)


def average(plain: np.ndarray, params: MixupParams) -> np.ndarray:
    """Mix without rounding: the linear operator of MI, as attacks need it.

    Args:
        plain: float (H, W, C); H and W are multiples of the patch size.
        params: of the mixing.

    Returns:
        (H / g, W / g, C), same dtype.
    """
    (ph, pw), g = params.patch_size, params.grid
    rows, cols = plain.shape[0] // ph, plain.shape[1] // pw
    split = plain.reshape(rows, g, ph // g, cols, g, pw // g, -1)
    return split.mean(axis=(1, 4)).reshape(rows * ph // g, cols * pw // g, -1)


def spread(mixed: np.ndarray, params: MixupParams) -> np.ndarray:
    """Repeat each mixed sub-patch g x g times: ``average(spread(m)) == m``.

    Args:
        mixed: float (h, w, C); h and w are multiples of ``params.core_size``.
        params: of the mixing.

    Returns:
        (h * g, w * g, C), same dtype.
    """
    (ph, pw), g = params.core_size, params.grid
    rows, cols = mixed.shape[0] // ph, mixed.shape[1] // pw
    split = mixed.reshape(rows, 1, ph, cols, 1, pw, -1)
    tiled = np.broadcast_to(split, (rows, g, ph, cols, g, pw, split.shape[-1]))
    return tiled.reshape(mixed.shape[0] * g, mixed.shape[1] * g, -1)
