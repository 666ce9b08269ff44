"""An attack that has several encrypted images of one picture."""

from dataclasses import replace

import numpy as np

from .base import Attack, Recovery, register
from .edges import posteriors
from .jigsaw import Jigsaw
from .metrics import classes
from .mixing import descend, mix, spread
from .pieces import as_rgb, cut, lay_out, resized, turn

NOISE = 3.0  # standard deviation, in grey levels, by which the same pixel of two views may differ


@register
class MultiView(Attack):
    """Several encrypted images of one picture tell more than one.

    Mixed: every view, at its own shift, adds equations; all are solved
    together for the smoothest picture by conjugate gradients. Shuffled, at
    the same crop: views have dropped different patches; the pieces of all are
    put together, twins left out, and go to the jigsaw. Shuffled, at shifted
    crops: a piece of another view lies across the seam of two pieces, gap
    and all, and tells the jigsaw which two these are.
    """

    name = 'multi-view'
    source = 'multi-frame super-resolution; Tikhonov regularisation on the known operators'
    cost = 'seconds'
    needs = ('views',)
    beside = 'jigsaw'
    supposing = 'several encryptions of the same picture, at shifts that are known'

    def refuses(self, setting):
        """Shifted views that were mixed first share no pixel."""
        if setting.mixup and setting.shuffle:
            return 'views of pictures that were mixed and then shuffled are not used'
        return None

    def _recover(self, image, setting, given):
        if setting.shuffle and any(tuple(shift) != (0, 0) for _, shift in given.views):
            return Bridged().recover(image, setting, given)
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


class Bridged(Jigsaw):
    """A jigsaw that is told by shifted views which pieces are neighbours; it serves :class:`MultiView`."""

    name = 'multi-view'

    def _recover(self, image, setting, given):
        self.views = [
            (cut(as_rgb(view), setting.places(np.shape(view))), shift) for view, shift in given.views if any(shift)
        ]
        return super()._recover(image, setting, given)

    def scores(self, pieces, setting, codes):
        """Posteriors of the jigsaw and of the bridges together."""
        own, side = _all_turns(pieces, codes), setting.shuffle.patch_size
        bridges = [_bridges(own, _all_turns(view, codes), shift, side) for view, shift in self.views]
        right, down = (sum(parts) for parts in zip(*bridges))
        same = np.arange(len(own)) // len(codes)
        banned = np.nonzero(same[:, None] == same)
        known = super().scores(pieces, setting, codes)
        return tuple(
            posteriors(score / 2 + np.log(bridge + 1e-3 / len(own)), banned)
            for score, bridge in zip(known, (right, down))
        )


def _bridges(own, theirs, shift, side):
    """(right, down): float32 (n, n), how surely some piece of the other view lies across the seam of two of ours."""
    (y, x), (height, width) = (step % length for step, length in zip(shift, side)), side
    found = [np.zeros((len(own),) * 2, np.float32) for _ in range(2)]
    for axis, step in enumerate([(0, width), (height, 0)]):
        for top in {y, y - height} if axis == 0 else {y}:
            for left in {x, x - width} if axis == 1 else {x}:
                first = _overlaps(own, theirs, top, left)
                second = _overlaps(own, theirs, top - step[0], left - step[1])
                if first is not None and second is not None:
                    found[axis] += first @ second.T
    return found


def _all_turns(pieces, codes):
    """(n, h, w, C) -> (n * codes, ...): each piece in each turn."""
    turned = np.stack([turn(pieces, code) for code in codes], axis=1)
    return np.ascontiguousarray(turned.reshape((-1,) + turned.shape[2:]))


def _overlaps(own, theirs, y, x):
    """float32 (n, m): the chance that a piece of the other view lies y below and x right of ours; None if apart.

    By the mean squared difference of the pixels that both would show.
    """
    h, w = own.shape[1:3]
    if abs(y) >= h or abs(x) >= w:
        return None
    a = own[:, max(0, y) : h + min(0, y), max(0, x) : w + min(0, x)].reshape(len(own), -1)
    b = theirs[:, max(0, -y) : h - max(0, y), max(0, -x) : w - max(0, x)].reshape(len(theirs), -1)
    apart = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    fit = -np.maximum(apart, 0) / (2 * NOISE**2 * np.sqrt(a.shape[1]))
    share = np.exp(fit - fit.max(axis=1, keepdims=True)) * np.exp(fit - fit.max(axis=0, keepdims=True))
    return share / np.maximum(share.sum(axis=1, keepdims=True), 1e-9)


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
    return descend(image, target - pull(image), pull, steps, 1e-6)
