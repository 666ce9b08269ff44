"""An attack that knows a plain image: it recovers a fixed permutation."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from .base import Attack, Recovery, register
from .jigsaw import turn_codes
from .linkage import plain_cores
from .mixing import mix
from .pieces import as_rgb, cut, lay_out, resized, turn


@register
class KnownPlaintext(Attack):
    """Recovers a permutation that is used for several images, from one plain image of them.

    Pieces of the encrypted image are matched to the plain patches by the
    Hungarian method; what is learned from all known pairs is added up.
    """

    name = 'known-plaintext'
    source = 'Kuhn, "The Hungarian method for the assignment problem", 1955'
    cost = 'tens of milliseconds a pair'
    needs = ('pairs',)
    supposing = 'one permutation for all images, which hii-mm encrypt does not make, and one plain image that is known'

    def refuses(self, setting):
        """There is no permutation to recover without a shuffle."""
        return None if setting.shuffle else 'nothing was shuffled at this setting'

    def _recover(self, image, setting, given):
        rs, shape = setting.shuffle, setting.places(image.shape)
        codes = turn_codes(rs)
        cost = sum(self._costs(plain, encrypted, setting, codes) for plain, encrypted in given.pairs)
        rows, columns = linear_sum_assignment(cost.min(axis=0))
        grid = self._grid(given.pairs[0][0], setting)
        places, turns = np.full(grid, -1), np.zeros(grid, np.int64)
        places.ravel()[columns] = rows
        turns.ravel()[columns] = np.array(codes)[cost[:, rows, columns].argmin(axis=0)]
        whole = lay_out(cut(as_rgb(image), shape), places, turns, rs.gap)
        if setting.mixup:
            from .mixing import unmix

            whole = unmix(whole, setting.mixup)
        rest = cost.min(axis=0)[rows, columns].mean() / max(1e-9, np.median(cost.min(axis=0)))
        return Recovery(
            resized(whole, setting.plain_shape or whole.shape[:2]), places, turns, float(np.clip(1 - rest, 0, 1))
        )

    @staticmethod
    def _mixed(plain, setting):
        plain = as_rgb(plain)
        return mix(setting.mixup.plan(plain.shape).grid.fit(plain), setting.mixup) if setting.mixup else plain

    def _grid(self, plain, setting):
        from ..encryption import PatchGrid

        return PatchGrid(
            self._mixed(plain, setting).shape[:2], setting.shuffle.patch_size, setting.shuffle.remainder
        ).shape

    def _costs(self, plain, encrypted, setting, codes):
        """(turns, pieces, patches) mean squared differences."""
        pieces = cut(as_rgb(encrypted), setting.places(np.shape(encrypted)))
        cores = plain_cores(self._mixed(plain, setting), setting.shuffle)
        b = cores.reshape(len(cores), -1)
        found = []
        for code in codes:
            a = turn(pieces, code).reshape(len(pieces), -1)
            found.append(((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T) / a.shape[1])
        return np.maximum(np.stack(found), 0)
