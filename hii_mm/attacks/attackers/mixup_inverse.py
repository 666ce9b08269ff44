"""Undo mixing-up: a known, linear averaging that has no secret."""

from __future__ import annotations

import numpy as np

from ...encryption import Scheme
from ...errors import InvalidValueError
from ..base import Attack, Given, Recovery, register
from ..solver.grids import mixup_of
from ..solver.layout import fitted
from ..solver.pieces import as_rgb
from ..solver.unmixing import METHODS, unmix


@register
class MixupInverse(Attack):
    """Estimate the plain image from the known averaging; see :func:`.unmixing.unmix`.

    Args:
        method: 'mosaic', 'tikhonov' or 'tv'.

    Raises:
        InvalidValueError: another method.
    """

    name = 'mixup-inverse'
    source = 'Tikhonov regularisation and total variation (Rudin, Osher and Fatemi, 1992) on the known operator'
    cost = 'under two seconds an image of 224 x 224 on one core'

    def __init__(self, method: str = 'tv') -> None:
        if method not in METHODS:
            raise InvalidValueError(f'method must be one of {", ".join(METHODS)}, got {method!r}')
        self.method = method

    def refuses(self, scheme: Scheme) -> str | None:
        """Return the reason why this attack does not apply: nothing was mixed, or the result was shuffled."""
        if scheme.mixup is None:
            return 'nothing was mixed under this scheme'
        return 'the mixed patches were shuffled too: jigsaw reassembles and unmixes them' if scheme.shuffle else None

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        params = mixup_of(scheme)
        (h, w), (ch, cw) = image.shape[:2], params.core_size
        if h % ch or w % cw or not h * w:
            raise InvalidValueError(
                f'a mixed image of {h} x {w} (h x w) is not a multiple of a mixed patch of {ch} x {cw}: '
                'check patch_size and grid'
            )
        plain = unmix(as_rgb(image), params, self.method)
        raw = as_rgb(image).repeat(params.grid, 0).repeat(params.grid, 1)
        shape = given.plain_shape or (plain.shape[0], plain.shape[1])
        return Recovery(fitted(plain, shape), confidence=1.0, raw=fitted(raw, shape))
