"""Score how well pieces fit side by side, by measures that were fitted to the attacked setting."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...encryption import Scheme
from ...errors import CheckpointError, InvalidValueError
from ...files import StrPath
from ...progress import Progress, silent
from . import seam_files
from .grids import shuffle_of
from .packaged import packaged_photos
from .seam_files import setting_of
from .seam_fitting import fit_sides
from .seam_measures import FLOOR, Pairs, Side, combined, measure_names, raw_measures, standardised
from .tone_measures import states
from .tone_windows import ToneWindow


class SeamModel:
    """Measures of seams, fitted to a setting.

    Attributes:
        core: (h, w) of a piece, in pixels.
        gap: pixels that were removed on every side of each piece.
        sides: the fitted model for "right of", and for "below" unless pieces are square.
        setting: what it was fitted to, as :func:`setting_of` names it.
    """

    def __init__(self, core: tuple[int, int], gap: int, sides: Sequence[Side], setting: str = '') -> None:
        self.core, self.gap, self.sides, self.setting = core, gap, tuple(sides), setting

    @classmethod
    def fit(cls, photos: Sequence[np.ndarray], scheme: Scheme, seed: int = 0, progress: Progress = silent) -> SeamModel:
        """Fit to crops of public photos, encrypted by a scheme without its shuffle.

        Args:
            photos: (H, W, 3) uint8 each.
            scheme: that is attacked; it shuffles.
            seed: of the crops.
            progress: called after each crop.

        Raises:
            InvalidValueError: no photos.
            AttackRefusedError: a scheme that does not shuffle.
        """
        sides = fit_sides(photos, scheme, seed, progress)
        return cls(scheme.core_size, shuffle_of(scheme).gap, sides, setting_of(scheme))

    def save(self, path: StrPath) -> None:
        """Write the model as a compressed npz, at once and whole.

        Raises:
            OSError: it cannot be written.
        """
        seam_files.save(path, self.setting, self.core, self.gap, self.sides)

    @classmethod
    def load(cls, path: StrPath) -> SeamModel:
        """Read a model that :meth:`save` wrote; nothing is unpickled.

        Raises:
            CheckpointError: another file, or a damaged one.
            OSError: it cannot be read.
        """
        setting, core, gap, sides = seam_files.load(path)
        return cls(core, gap, sides, setting)

    @property
    def toned(self) -> bool:
        """Whether pieces may have any tone."""
        return isinstance(self.sides[0].windows[0], ToneWindow)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K measures, in order."""
        return measure_names(self.sides[0].windows, min(self.core))

    def measures(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Measure how well each piece of ``right`` continues each piece of ``left``; higher is better.

        Args:
            left: float32 (n, h, w, 3) RGB in [0, 255]; their right sides meet the others' left sides.
                For "below", both are transposed.
            right: float32 (m, h, w, 3).

        Returns:
            float32 (K, n, m), each with mean 0 and, over many pictures, standard deviation 1.

        Raises:
            InvalidValueError: pieces of another shape than the model was fitted to.
        """
        side = self._side(left.shape)
        return standardised(raw_measures(left, right, self.gap, side), side.spread)

    def states(self, left: np.ndarray, right: np.ndarray | None = None) -> np.ndarray:
        """Return the log-probability of each state of :mod:`.tones` of each pair, if they are neighbours.

        Args:
            left: as :meth:`measures`.
            right: as :meth:`measures`; None for the same pieces.

        Returns:
            float32 (12, n, m).

        Raises:
            InvalidValueError: as :meth:`measures`, or a model of pieces without tone.
        """
        side = self._side(left.shape)
        shapes = [window for window in side.windows if isinstance(window, ToneWindow)]
        if not shapes:
            raise InvalidValueError(f'the seams were fitted to pieces without tone: {self.setting}')
        return states(left, left if right is None else right, shapes, side.densities)

    def scores(self, left: np.ndarray, right: np.ndarray, banned: Pairs = None) -> np.ndarray:
        """Return the weighted sum of the measures, an unnormalised log-likelihood: float32 (n, m).

        Args:
            left: as :meth:`measures`.
            right: as :meth:`measures`.
            banned: pairs that are impossible; they are no best of row or column. None if left and
                right are the same pieces bans each piece beside itself.
        """
        if banned is None and left is right:
            banned = (np.arange(len(left)), np.arange(len(left)))
        return combined(self.measures(left, right), self._side(left.shape).weights, banned)

    def _side(self, shape: Sequence[int]) -> Side:
        h, w = shape[1:3]
        if (h, w) == self.core:
            return self.sides[0]
        if (w, h) == self.core:
            return self.sides[-1]
        raise InvalidValueError(f'pieces of {h} x {w} (h x w), and the seams were fitted to {self.core}')


def seam_model(scheme: Scheme, photos: Sequence[np.ndarray] = (), progress: Progress = silent) -> SeamModel:
    """Return the model of a scheme's seams: shipped, else from the user's cache, else fitted now and cached.

    Args:
        scheme: that is attacked; it shuffles.
        photos: to fit to, (H, W, 3) uint8 each; without any, the photographs that scikit-image ships.
        progress: called while a model is fitted.

    Raises:
        AttackRefusedError: a scheme that does not shuffle.
    """
    setting = setting_of(scheme)
    shipped = seam_files.SHIPPED / f'seams-{setting}.npz'
    if shipped.is_file():
        return SeamModel.load(shipped)
    photos = photos if len(photos) else packaged_photos()
    cached = seam_files.cache_file(setting, photos)
    with contextlib.suppress(CheckpointError, OSError):
        model = SeamModel.load(cached)
        if model.setting == setting:
            return model
    model = SeamModel.fit(photos, scheme, progress=progress)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        cached.parent.mkdir(parents=True, exist_ok=True)
        model.save(cached)
    return model


def posteriors(scores: np.ndarray, banned: Any) -> np.ndarray:
    """Return log P(right | left) + log P(left | right), each with a share ``FLOOR`` of chance.

    Args:
        scores: float32 (N, N), from :meth:`SeamModel.scores`.
        banned: bool (N, N), or index of the pairs that are impossible, such as a piece beside itself.

    Returns:
        float32 (N, N); -inf where banned.
    """
    scores = scores.copy()
    scores[banned] = -1e9
    total = _log_share(scores, 1)
    total += _log_share(scores, 0)
    total[banned] = -np.inf
    return total


def _log_share(scores: np.ndarray, axis: int) -> np.ndarray:
    share = np.exp(scores - scores.max(axis=axis, keepdims=True))
    share *= (1 - FLOOR) / share.sum(axis=axis, keepdims=True)
    share += FLOOR / scores.shape[axis]
    return np.log(share, out=share)
