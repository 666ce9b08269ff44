"""Combine several encrypted images of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...encryption import MixupParams, Scheme, ShuffleParams
from ...encryption.mixup import average, spread
from ..base import Attack, Given, Recovery, register
from ..solver.bridges import bridges
from ..solver.grids import place_shape, plain_grid, shuffle_of
from ..solver.layout import lay_out
from ..solver.pieces import all_turns, as_rgb, classes, cut, resized
from ..solver.seams import posteriors
from ..solver.unmixing import descend, roughness
from .jigsaw import Jigsaw

SMOOTH = 0.01  # weight of the roughness against the views
Window = tuple[slice, slice]


@register
class MultiView(Attack):
    """Combine several encrypted images of one picture, which tell more than one.

    Mixed: every view, at its own shift, adds equations; all are solved
    together for the smoothest picture by conjugate gradients. Shuffled, at
    the same crop: views have dropped different patches; the pieces of all are
    put together, duplicates left out, and go to the jigsaw. Shuffled, at
    shifted crops: a piece of another view lies across the seam of two pieces,
    gap and all, and tells the jigsaw which two these are.
    """

    name = 'multi-view'
    source = 'multi-frame super-resolution; Tikhonov regularisation on the known operators'
    cost = 'seconds'
    needs = ('views',)
    beside = 'jigsaw'
    supposing = 'several encryptions of the same picture, at shifts that are known'

    def refuses(self, scheme: Scheme) -> str | None:
        """Return the reason why this attack does not apply: mixed and then shuffled, or noise."""
        if scheme.mixup and scheme.shuffle:
            return 'views of pictures that were mixed and then shuffled are not used'
        if scheme.shuffle and scheme.shuffle.noise:
            return 'views with noise are not matched'
        return None

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        if scheme.mixup:
            return _unmixed(image, scheme.mixup, given)
        if any(tuple(shift) != (0, 0) for _, shift in given.views):
            return _Bridged().recover(image, scheme, given)
        return _pooled(image, scheme, given)


def _pooled(image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
    """Run the jigsaw over the pieces of all views."""
    shuffle, shape = shuffle_of(scheme), plain_grid(scheme, image.shape, given.plain_shape)
    pieces = np.concatenate([cut(as_rgb(view), place_shape(scheme, np.shape(view))) for view, _ in given.views])
    pieces = pieces[np.unique(classes(pieces))][: shape[0] * shape[1]]
    rows = -(-len(pieces) // shape[1])
    blank = np.zeros((rows * shape[1] - len(pieces),) + pieces.shape[1:], np.float32) + pieces.mean()
    places = np.arange(rows * shape[1]).reshape(rows, shape[1])
    sheet = lay_out(np.concatenate([pieces, blank]), places)
    drop = 0.0 if len(pieces) == shape[0] * shape[1] else shuffle.drop_ratio
    pooled = Scheme.from_steps(replace(shuffle, drop_ratio=drop))
    found = Jigsaw().recover(sheet, pooled, Given(given.plain_shape))
    return replace(found, places=None, turns=None)


class _Bridged(Jigsaw):
    """A jigsaw that learns from shifted views which pieces are neighbours."""

    name = MultiView.name
    views: list[tuple[np.ndarray, tuple[int, int]]]

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        self.views = [
            (cut(as_rgb(view), place_shape(scheme, np.shape(view))), shift) for view, shift in given.views if any(shift)
        ]
        return super()._recover(image, scheme, given)

    def scores(self, pieces: np.ndarray, shuffle: ShuffleParams, codes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return posteriors of the jigsaw and of the bridges together."""
        own = all_turns(pieces, codes)
        found = [bridges(own, all_turns(view, codes), shift, shuffle.patch_size) for view, shift in self.views]
        same = np.arange(len(own)) // len(codes)
        banned = np.nonzero(same[:, None] == same)
        known = super().scores(pieces, shuffle, codes)
        right, down = (
            posteriors(score / 2 + np.log(np.sum(bridge, axis=0) + 1e-3 / len(own)), banned)
            for score, bridge in zip(known, zip(*found))
        )
        return right, down


def _unmixed(image: np.ndarray, params: MixupParams, given: Given) -> Recovery:
    """Find the smooth picture whose windows mix to the views."""
    h, w = (length * params.grid for length in image.shape[:2])
    shifts = [np.asarray(shift, int) for _, shift in given.views]
    low, high = np.minimum.reduce(shifts), np.maximum.reduce(shifts)
    canvas = np.zeros((h + high[0] - low[0], w + high[1] - low[1], 3), np.float32)
    windows = [np.s_[s[0] - low[0] : s[0] - low[0] + h, s[1] - low[1] : s[1] - low[1] + w] for s in shifts]
    images = [as_rgb(view) for view, _ in given.views]
    for window, view in zip(windows, images):
        canvas[window] = spread(view, params)
    first = _solve(canvas, windows, images, params)[windows[0]]
    return Recovery(resized(first, given.plain_shape or first.shape[:2]), confidence=1.0)


def _solve(
    image: np.ndarray, windows: Sequence[Window], views: Sequence[np.ndarray], params: MixupParams, steps: int = 80
) -> np.ndarray:
    """Solve the normal equations by conjugate gradients, from ``image`` on."""
    scale = params.grid**2

    def pull(picture: np.ndarray) -> np.ndarray:
        out = SMOOTH * roughness(picture)
        for window in windows:
            out[window] += spread(average(picture[window], params), params) / scale
        return out

    target = np.zeros_like(image)
    for window, view in zip(windows, views):
        target[window] += spread(view, params) / scale
    return descend(image, target - pull(image), pull, steps, 1e-6)
