"""Doing nothing: the floor that every figure is compared with."""

import numpy as np

from .base import Attack, Recovery, register
from .pieces import as_uint8, resized


@register
class Identity(Attack):
    """Returns the encrypted image as it is, in the plain size where that is known."""

    name, source, cost = 'identity', 'a control', 'nothing'

    def _recover(self, image, setting, given):
        places = None
        if setting.shuffle:
            rows, cols = setting.places(image.shape)
            places = np.arange(rows * cols).reshape(rows, cols)
        shape = setting.plain_shape or image.shape[:2]
        return Recovery(resized(as_uint8(image), shape), places)
