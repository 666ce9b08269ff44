"""Undo mixing-up: a known, linear averaging that has no secret."""

from __future__ import annotations

import numpy as np

from ...encryption import Scheme
from ...errors import InvalidValueError
from ..base import Attack, Given, Recovery, register
from ..solver.grids import mixup_of
from ..solver.pieces import as_rgb, resized
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
        plain, shape = unmix(as_rgb(image), params, self.method), given.plain_shape
        if shape and params.remainder != 'error':  # the padding goes, and what was cropped stays unknown
            plain = plain[: shape[0], : shape[1]]
            lost = [(0, shape[k] - plain.shape[k]) for k in (0, 1)]
            plain = np.pad(plain, [*lost, (0, 0)], mode='edge')
        return Recovery(resized(plain, shape or plain.shape[:2]), confidence=1.0)
