"""Reassemble shuffled patches by their borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...encryption import Scheme, ShuffleParams
from ...encryption.turns import compose, transposed
from ...errors import AttackRefusedError
from ..base import Attack, Given, Recovery, register
from ..solver.assembly import Assembler
from ..solver.grids import place_shape, plain_grid, shuffle_of, unshuffled
from ..solver.pieces import all_turns, as_rgb, cut, turn_codes
from ..solver.restore import restore
from ..solver.seams import SeamModel, posteriors, seam_model
from ..solver.tone_solving import solved as untoned

MOST = 4800  # items (pieces, or pieces times turns)


@register
class Jigsaw(Attack):
    """Reassemble RS with any gap, drop, orientation, window, tone and noise; on MI too.

    How borders go on is fitted to the setting: shipped for common ones, else
    fitted at first use to public photos, where some are given, or to those
    that packages ship, and cached.

    Args:
        effort: search of the assembler; 0 is a quick guess, 4 searches four times as long.
    """

    name = 'jigsaw'
    source = 'Gallagher, CVPR 2012; Pomeranz et al., CVPR 2011; Paikin and Tal, CVPR 2015'
    cost = 'seconds an image of 196 pieces on one core; grows with the square of the pieces'
    uses = ('public',)

    def __init__(self, effort: float = 1.0) -> None:
        self.effort = effort
        self.fitted: SeamModel | None = None

    def refuses(self, scheme: Scheme) -> str | None:
        """Return why this attack does not apply to schemes without a shuffle."""
        return unshuffled(scheme)

    def seams_of(self, scheme: Scheme, given: Given) -> SeamModel:
        """Return the model of the scheme's seams, which is loaded or fitted once."""
        if self.fitted is None:
            self.fitted = seam_model(scheme, given.public)
        return self.fitted

    def prepare(self, scheme: Scheme, given: Given) -> None:
        """Load the model of the seams, or fit it."""
        self.seams_of(scheme, given)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        shuffle = shuffle_of(scheme)
        shape, codes = place_shape(scheme, image.shape), turn_codes(shuffle)
        pieces = cut(as_rgb(image), shape)
        if len(pieces) * len(codes) > MOST:
            raise AttackRefusedError(
                f'{self.name}: {len(pieces)} pieces of {len(codes)} turns are more than {MOST} items'
            )
        self.seams_of(scheme, given)
        right, down = self.scores(pieces, shuffle, codes)
        window = shuffle.window
        if window is None or window >= max(shape):
            solver = Assembler(right, down, plain_grid(scheme, image.shape, given.plain_shape), len(codes), self.effort)
            grid = solver.solve()
            certainty = solver.certainty(grid)
        else:
            grid, certainty = _by_window(right, down, shape, window, len(codes), self.effort)
        places = np.where(grid >= 0, grid // len(codes), -1)
        turns = np.where(grid >= 0, np.array(codes)[grid % len(codes)], 0)
        solved = untoned(pieces, places, turns, self.seams_of(scheme, given)) if shuffle.tone else None
        drawn = restore(pieces, places, turns, scheme, given.plain_shape, certainty, solved)
        return Recovery(
            drawn.image,
            places,
            turns,
            scores=(right, down) if len(codes) == 1 else None,
            confidence=float(certainty.mean()),
            raw=drawn.raw,
        )

    def scores(self, pieces: np.ndarray, shuffle: ShuffleParams, codes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return log-posteriors that item j is right of, and below, item i: float32 (N, N) twice.

        Args:
            pieces: (n, h, w, 3) float32 in [0, 255].
            shuffle: how they were made.
            codes: turns that each piece may need; items are pieces times turns.
        """
        right = self.seams(pieces, shuffle, codes)
        same = np.arange(len(pieces) * len(codes)) // len(codes)
        banned = np.nonzero(same[:, None] == same)
        if 1 in codes:  # a quarter anti-clockwise turns "below" into "right of"
            quarter = np.array([codes.index(compose(code, 1)) for code in codes])
            items = (np.arange(len(pieces))[:, None] * len(codes) + quarter).ravel()
            right = posteriors(right, banned)
            return right, right[np.ix_(items, items)]
        upright = pieces.swapaxes(1, 2)  # mirrored at the diagonal: "below" becomes "right of"
        down = self.seams(upright, shuffle, [transposed(code) for code in codes])
        return posteriors(right, banned), posteriors(down, banned)

    def seams(self, pieces: np.ndarray, shuffle: ShuffleParams, codes: Sequence[int]) -> np.ndarray:
        """Score how well each item continues each other one to the right: float32 (N, N).

        Attacks that learn override this.

        Raises:
            RuntimeError: called before :meth:`prepare` or :meth:`recover`.
        """
        if self.fitted is None:
            raise RuntimeError(f'{self.name}: seams are scored once prepare() has loaded their model')
        items = all_turns(pieces, codes)
        piece = np.arange(len(items)) // len(codes)
        return self.fitted.scores(items, items, piece[:, None] == piece)


def _by_window(
    right: np.ndarray, down: np.ndarray, shape: tuple[int, int], window: int, twins: int, effort: float
) -> tuple[np.ndarray, np.ndarray]:
    """Assemble each window by itself: items (rows, columns), and the certainty of each."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    grid, certainty = np.full(shape, -1), np.zeros(shape, np.float32)
    for top in range(0, shape[0], window):
        for left in range(0, shape[1], window):
            here = np.s_[top : top + window, left : left + window]
            block = index[here]
            items = (block.reshape(-1, 1) * twins + np.arange(twins)).ravel()
            if block.size == 1:
                grid[here] = items[0]
                continue
            part = np.ix_(items, items)
            solver = Assembler(right[part], down[part], (block.shape[0], block.shape[1]), twins, effort)
            found = solver.solve()
            grid[here] = np.where(found >= 0, items[found], -1)
            certainty[here] = solver.certainty(found)
    return grid, certainty
