"""Bringing a picture to a size before it is encrypted: pixels and coordinates alike."""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Fit:
    """A resize, then a crop or a padding at the bottom right.

    Attributes:
        plain_hw: (h, w) before.
        scaled_hw: (h, w) after the resize.
        offset_yx: the crop's top left corner.
        fitted_hw: (h, w) at the end.
    """

    plain_hw: tuple
    scaled_hw: tuple
    offset_yx: tuple
    fitted_hw: tuple

    def image(self, array):
        """(H, W[, C]) of ``plain_hw`` -> ``fitted_hw``; padding repeats the last row and column."""
        if self.scaled_hw != self.plain_hw:
            picture = Image.fromarray(array).resize(self.scaled_hw[::-1], Image.Resampling.BICUBIC)
            array = np.array(picture).astype(array.dtype)
        return self._window(array, mode='edge')

    def mask(self, array):
        """(H, W) uint8 of ``plain_hw`` -> ``fitted_hw``, nearest value; padding is 0."""
        if self.scaled_hw != self.plain_hw:
            array = np.array(Image.fromarray(array).resize(self.scaled_hw[::-1], Image.Resampling.NEAREST))
        return self._window(array, mode='constant')

    def _window(self, array, mode):
        (top, left), (h, w) = self.offset_yx, self.fitted_hw
        array = array[top : top + h, left : left + w]
        down, right = h - array.shape[0], w - array.shape[1]
        if down or right:
            array = np.pad(array, [(0, down), (0, right)] + [(0, 0)] * (array.ndim - 2), mode=mode)
        return np.ascontiguousarray(array)

    def points(self, xy):
        """(n, 2) xy in the plain image -> in the fitted one."""
        scale = np.array([self.scaled_hw[1] / self.plain_hw[1], self.scaled_hw[0] / self.plain_hw[0]])
        return np.asarray(xy, np.float64) * scale - np.array(self.offset_yx[::-1])

    @property
    def kept_hw(self):
        """(h, w) of the part of the fitted image that shows picture, not padding."""
        (top, left), (h, w) = self.offset_yx, self.scaled_hw
        return min(self.fitted_hw[0], h - top), min(self.fitted_hw[1], w - left)


def plan_fit(settings, plain_hw):
    """The :class:`Fit` of one image size, as ``settings.size`` and ``settings.fit`` ask."""
    plain_hw = tuple(plain_hw)
    if settings.size is None or isinstance(settings.size, int):
        scaled = plain_hw
        if settings.size is not None:
            scaled = tuple(max(1, round(side * settings.size / min(plain_hw))) for side in plain_hw)
        if settings.fit == 'resize':
            scaled = tuple(max(1, round(s / p)) * p for s, p in zip(scaled, settings.patch_size))
        return Fit(plain_hw, scaled, (0, 0), scaled)
    fitted = settings.size[::-1]
    if settings.fit == 'resize':
        return Fit(plain_hw, fitted, (0, 0), fitted)
    ratios = [f / p for f, p in zip(fitted, plain_hw)]
    ratio = max(ratios) if settings.fit == 'crop' else min(ratios)
    scaled = tuple(max(1, round(side * ratio)) for side in plain_hw)
    offset = tuple(max(0, (s - f) // 2) for s, f in zip(scaled, fitted))
    return Fit(plain_hw, scaled, offset, fitted)
