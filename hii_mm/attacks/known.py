"""Attacks that have more than one encrypted image: a fixed permutation, several views of one picture."""

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from .base import Attack, Recovery, register
from .jigsaw import Jigsaw, turn_codes
from .linkage import plain_cores
from .metrics import classes
from .mixing import mix, spread
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


@register
class MultiView(Attack):
    """Several encrypted images of one picture tell more than one.

    Mixed: every view, at its own shift, adds equations; all are solved
    together for the smoothest picture by conjugate gradients. Shuffled: views
    of the same crop have dropped different patches; the pieces of all are put
    together, twins left out, and go to the jigsaw. Shifted views of shuffled
    pictures are not used.
    """

    name = 'multi-view'
    source = 'multi-frame super-resolution; Tikhonov regularisation on the known operators'
    cost = 'seconds'
    needs = ('views',)
    supposing = 'several encryptions of the same picture'

    def refuses(self, setting):
        """Pieces of shifted or identical views add nothing without dropped patches."""
        if setting.shuffle and not setting.shuffle.drop_ratio:
            return 'nothing was dropped, so another view of the same crop adds no piece'
        return None

    def _recover(self, image, setting, given):
        if setting.shuffle:
            return self._pieces(image, setting, given)
        params = setting.mixup
        h, w = (length * params.grid for length in image.shape[:2])
        shifts = [np.asarray(shift, int) for _, shift in given.views]
        low = np.minimum.reduce(shifts)
        high = np.maximum.reduce(shifts)
        canvas = np.zeros((h + high[0] - low[0], w + high[1] - low[1], 3), np.float32)
        windows = [np.s_[s[0] - low[0] : s[0] - low[0] + h, s[1] - low[1] : s[1] - low[1] + w] for s in shifts]
        images = [as_rgb(view) for view, _ in given.views]
        for window, view in zip(windows, images):
            canvas[window] = spread(view, params)
        whole = _solve(canvas, windows, images, params)
        first = whole[windows[0]]
        return Recovery(resized(first, setting.plain_shape or first.shape[:2]), confidence=1.0)

    def _pieces(self, image, setting, given):
        """Jigsaw over the pieces of all views."""
        rs = setting.shuffle
        shape = setting.plain_grid(image.shape)
        pieces = np.concatenate([cut(as_rgb(view), setting.places(np.shape(view))) for view, _ in given.views])
        pieces = pieces[np.unique(classes(pieces))][: shape[0] * shape[1]]
        rows = -(-len(pieces) // shape[1])
        blank = np.zeros((rows * shape[1] - len(pieces),) + pieces.shape[1:], np.float32) + pieces.mean()
        places = np.arange(rows * shape[1]).reshape(rows, shape[1])
        sheet = lay_out(np.concatenate([pieces, blank]), places)
        whole = replace(rs, drop_ratio=0.0 if len(pieces) == shape[0] * shape[1] else rs.drop_ratio)
        inner = replace(setting, steps=(*setting.steps[:-1], whole))
        found = Jigsaw().recover(sheet, inner)
        return replace(found, places=None, turns=None)


def _solve(image, windows, views, params, weight=0.01, steps=80):
    """The smooth image whose windows mix to the views: conjugate gradients on the normal equations."""
    from .mixing import _roughness

    scale = params.grid**2

    def pull(picture):
        out = weight * _roughness(picture, None)
        for window in windows:
            out[window] += spread(mix(picture[window], params), params) / scale
        return out

    target = np.zeros_like(image)
    for window, view in zip(windows, views):
        target[window] += spread(view, params) / scale
    rest = target - pull(image)
    direction, size = rest, float((rest * rest).sum())
    for _ in range(steps):
        if size < 1e-6 * image.size:
            break
        moved = pull(direction)
        step = size / max(float((direction * moved).sum()), 1e-12)
        image = image + step * direction
        rest = rest - step * moved
        size, before = float((rest * rest).sum()), size
        direction = rest + size / before * direction
    return image
