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
from ..solver.seams import as_lab, posteriors, seam_scores

MOST = 4800  # items (pieces, or pieces times turns)


@register
class Jigsaw(Attack):
    """Reassemble RS with any gap, drop, orientation and window; on MI too.

    Args:
        effort: about how often to grow the picture anew; more is slower and better.
    """

    name = 'jigsaw'
    source = 'Gallagher, CVPR 2012; Pomeranz et al., CVPR 2011; Paikin and Tal, CVPR 2015'
    cost = 'under a second an image of 196 pieces on one core; grows with the square of the pieces'

    def __init__(self, effort: int = 60) -> None:
        self.effort = effort

    def refuses(self, scheme: Scheme) -> str | None:
        """Return why this attack does not apply to schemes without a shuffle."""
        return unshuffled(scheme)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        shuffle = shuffle_of(scheme)
        shape, codes = place_shape(scheme, image.shape), turn_codes(shuffle)
        pieces = cut(as_rgb(image), shape)
        if len(pieces) * len(codes) > MOST:
            raise AttackRefusedError(
                f'{self.name}: {len(pieces)} pieces of {len(codes)} turns are more than {MOST} items'
            )
        right, down = self.scores(pieces, shuffle, codes)
        window = shuffle.window
        if window is None or window >= max(shape):
            solver = Assembler(right, down, plain_grid(scheme, image.shape, given.plain_shape), len(codes), self.effort)
            grid = solver.solve()
            certainty = solver.certainty(grid)
        else:
            grid, certainty = _by_window(right, down, shape, window, len(codes), max(2, self.effort // 8))
        places = np.where(grid >= 0, grid // len(codes), -1)
        turns = np.where(grid >= 0, np.array(codes)[grid % len(codes)], 0)
        drawn = restore(pieces, places, turns, scheme, given.plain_shape, certainty)
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
        """
        items = all_turns(pieces, codes)
        lab = as_lab(items)
        return seam_scores(items, items, lab, lab, shuffle.gap)


def _by_window(
    right: np.ndarray, down: np.ndarray, shape: tuple[int, int], window: int, twins: int, effort: int
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
