"""Do nothing: the floor that every figure is compared with."""

from __future__ import annotations

import numpy as np

from ...encryption import Scheme
from ..base import Attack, Figures, Given, Recovery, register
from ..solver.grids import place_shape
from ..solver.pieces import as_uint8, resized


@register
class Identity(Attack):
    """Return the encrypted image as it is, in the plain size where it is known."""

    name = 'identity'
    source = 'a control'
    cost = 'nothing'

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        places = None
        if scheme.shuffle:
            rows, cols = place_shape(scheme, image.shape)
            places = np.arange(rows * cols).reshape(rows, cols)
        return Recovery(resized(as_uint8(image), given.plain_shape or image.shape[:2]), places)

    @classmethod
    def words(cls, figures: Figures) -> str | None:
        """Return the share of neighbours that the shuffle left side by side; None without it."""
        share = figures.means.get('surviving')
        if share is None:
            return None
        kept = ' that were kept' if figures.dropped else ''
        chance = figures.floors.get('chance', {}).get('surviving')
        luck = '' if chance is None else f' (chance {chance:.1%})'
        return f'{share:.1%} of the neighbouring pieces{kept} lie side by side in the encrypted image as it is{luck}.'
