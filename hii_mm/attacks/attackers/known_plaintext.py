"""Recover a permutation that is used for several images, from plain images that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...encryption import Scheme
from ...encryption.turns import turn
from ..base import Attack, Given, Recovery, register
from ..solver.grids import patch_grid, place_shape, shuffle_of, unshuffled
from ..solver.pieces import as_rgb, before_shuffle, cut, plain_cores, turn_codes
from ..solver.restore import restore
from ..solver.tones import forms


@register
class KnownPlaintext(Attack):
    """Match pieces to the plain patches of known pairs, by the Hungarian method.

    The costs of all known pairs are added up.
    """

    name = 'known-plaintext'
    source = 'Kuhn, "The Hungarian method for the assignment problem", 1955'
    cost = 'tens of milliseconds a pair'
    needs = ('pairs',)
    supposing = 'one permutation for all images, which hii-mm encrypt does not make, and one plain image that is known'

    def refuses(self, scheme: Scheme) -> str | None:
        """Return why this attack does not apply to schemes without a shuffle."""
        return unshuffled(scheme)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        shuffle = shuffle_of(scheme)
        codes = turn_codes(shuffle)
        cost = np.sum([_costs(plain, encrypted, scheme, codes) for plain, encrypted in given.pairs], axis=0)
        least = cost.min(axis=0)
        pieces, patches = linear_sum_assignment(least)
        grid = patch_grid(scheme, np.shape(given.pairs[0][0]))
        places, turns = np.full(grid, -1), np.zeros(grid, np.int64)
        places.ravel()[patches] = pieces
        turns.ravel()[patches] = np.array(codes)[cost[:, pieces, patches].argmin(axis=0)]
        drawn = restore(cut(as_rgb(image), place_shape(scheme, image.shape)), places, turns, scheme, given.plain_shape)
        rest = least[pieces, patches].mean() / max(1e-9, np.median(least))
        sure = float(np.clip(1 - rest, 0, 1))
        return Recovery(drawn.image, places, turns, confidence=sure, raw=drawn.raw)


def _costs(plain: np.ndarray, encrypted: np.ndarray, scheme: Scheme, codes: Sequence[int]) -> np.ndarray:
    """Return mean squared differences, (turns, pieces, patches)."""
    pieces = cut(as_rgb(encrypted), place_shape(scheme, np.shape(encrypted)))
    cores = plain_cores(before_shuffle(plain, scheme), shuffle_of(scheme))
    if scheme.shuffle and scheme.shuffle.tone:
        pieces, cores = forms(pieces), forms(cores)
    b = cores.reshape(len(cores), -1)
    found = []
    for code in codes:
        a = turn(pieces, code).reshape(len(pieces), -1)
        found.append(((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T) / a.shape[1])
    return np.maximum(np.stack(found), 0)
