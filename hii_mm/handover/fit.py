"""Bring an image, and its coordinates, to a size before it is encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from ..encryption import turns
from .settings import Settings

HW = tuple[int, int]
_TURNS = (0, 4, 2, 6, 7, 3, 5, 1)  # codes of the EXIF orientations 1 to 8


@dataclass(frozen=True)
class Fit:
    """A resize, followed by a crop, or by padding at the bottom and right.

    Attributes:
        plain_hw: (h, w) before.
        scaled_hw: (h, w) after the resize.
        offset_yx: (y, x) of the crop's top left corner.
        fitted_hw: (h, w) at the end.
        orientation: of the image file in EXIF, 1 to 8; it is applied before.
    """

    plain_hw: HW
    scaled_hw: HW
    offset_yx: HW
    fitted_hw: HW
    orientation: int = 1

    @property
    def raw_hw(self) -> HW:
        """(h, w) of the pixels as they are stored in the file."""
        return self.plain_hw if _TURNS[self.orientation - 1] % 2 == 0 else self.plain_hw[::-1]

    def upright_points(self, xy: np.ndarray) -> np.ndarray:
        """Move points (n, 2) xy of the stored pixels to the upright image, float64."""
        return turns.turn_points(np.asarray(xy, np.float64), _TURNS[self.orientation - 1], *self.raw_hw)

    def upright_mask(self, array: np.ndarray) -> np.ndarray:
        """Turn a mask of ``raw_hw`` to the upright image."""
        return np.ascontiguousarray(turns.turn_grid(array, _TURNS[self.orientation - 1]))

    def image(self, array: np.ndarray) -> np.ndarray:
        """Bring an image (H, W[, C]) of ``plain_hw`` to ``fitted_hw``; padding repeats the last row and column."""
        return self.image_of([array])

    def image_of(self, given: list[np.ndarray]) -> np.ndarray:
        """As :meth:`image`, of an array that is taken out of a list: if nothing else holds it, it is freed early."""
        if self.scaled_hw != self.plain_hw:
            return self._window(_resized(given, self.scaled_hw), mode='edge')
        return self._window(given.pop(), mode='edge')

    def mask(self, array: np.ndarray) -> np.ndarray:
        """Bring a mask (H, W) uint8 of ``plain_hw`` to ``fitted_hw``, nearest value; padding is 0."""
        if self.scaled_hw != self.plain_hw:
            array = np.array(Image.fromarray(array).resize(self.scaled_hw[::-1], Image.Resampling.NEAREST))
        return self._window(array, mode='constant')

    def _window(self, array: np.ndarray, mode: Literal['edge', 'constant']) -> np.ndarray:
        (top, left), (h, w) = self.offset_yx, self.fitted_hw
        array = array[top : top + h, left : left + w]
        down, right = h - array.shape[0], w - array.shape[1]
        if down or right:
            array = np.pad(array, [(0, down), (0, right)] + [(0, 0)] * (array.ndim - 2), mode=mode)
        return np.ascontiguousarray(array)

    def points(self, xy: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
        """Move points (n, 2) xy of the plain image to the fitted one, float64."""
        scale = np.array([self.scaled_hw[1] / self.plain_hw[1], self.scaled_hw[0] / self.plain_hw[0]])
        moved: np.ndarray = np.asarray(xy, np.float64) * scale - np.array(self.offset_yx[::-1])
        return moved

    @property
    def shown_hw(self) -> HW:
        """(h, w) of the part of the fitted image that shows the image, not padding."""
        (top, left), (h, w) = self.offset_yx, self.scaled_hw
        return min(self.fitted_hw[0], h - top), min(self.fitted_hw[1], w - left)


def _resized(given: list[np.ndarray], hw: HW) -> np.ndarray:
    """Resize an image (H, W[, C]) that is taken out of a list, keeping its dtype.

    RGB goes channel by channel: Pillow holds 4 bytes for its 3. The plain image is freed before the new one is made.
    """
    array = given.pop()
    dtype, colours = array.dtype, array.ndim == 3 and array.shape[2] == 3

    def resized(part: np.ndarray) -> Image.Image:
        return Image.fromarray(part).resize(hw[::-1], Image.Resampling.BICUBIC)

    if not colours:
        return np.asarray(resized(array)).astype(dtype, copy=False)  # with alpha, by which Pillow weighs colours
    channels = [resized(array[:, :, channel]) for channel in range(3)]
    del array
    out = np.empty((*hw, 3), dtype)
    for channel in reversed(range(3)):
        out[:, :, channel] = channels.pop()
    return out


def plan_fit(settings: Settings, plain_hw: HW, orientation: int = 1) -> Fit:
    """Return how an upright image of (h, w) is brought to ``settings.size`` by ``settings.fit``."""
    return replace(_plan_fit(settings, plain_hw), orientation=orientation)


def _plan_fit(settings: Settings, plain_hw: HW) -> Fit:
    h, w = plain_hw
    size, (ph, pw) = settings.size, settings.scheme.patch_size
    if not isinstance(size, tuple):
        if size is not None:
            short = min(plain_hw)
            h, w = max(1, round(h * size / short)), max(1, round(w * size / short))
        if settings.fit == 'resize':
            h, w = max(1, round(h / ph)) * ph, max(1, round(w / pw)) * pw
        return Fit(plain_hw, (h, w), (0, 0), (h, w))
    fitted = size[1], size[0]
    if settings.fit == 'resize':
        return Fit(plain_hw, fitted, (0, 0), fitted)
    ratios = fitted[0] / h, fitted[1] / w
    ratio = max(ratios) if settings.fit == 'crop' else min(ratios)
    scaled = max(1, round(h * ratio)), max(1, round(w * ratio))
    offset = max(0, (scaled[0] - fitted[0]) // 2), max(0, (scaled[1] - fitted[1]) // 2)
    return Fit(plain_hw, scaled, offset, fitted)
