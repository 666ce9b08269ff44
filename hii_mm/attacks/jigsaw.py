"""Reassembling shuffled patches by their borders."""

import numpy as np

from .assembly import Assembler
from .base import Attack, Recovery, register
from .edges import posteriors, seam_scores
from .pieces import as_rgb, cut, lay_out, resized, turn

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

    def __init__(self, effort=60):
        self.effort = effort

    def refuses(self, setting):
        """There is nothing to reassemble without a shuffle."""
        return None if setting.shuffle else 'nothing was shuffled at this setting'

    def _recover(self, image, setting, given):
        rs, shape = setting.shuffle, setting.places(image.shape)
        pieces = cut(as_rgb(image), shape)
        codes = turn_codes(rs)
        if len(pieces) * len(codes) > MOST:
            raise ValueError(f'{self.name}: {len(pieces)} pieces of {len(codes)} turns are more than {MOST} items')
        right, down = self.scores(pieces, setting, codes)
        grid, certainty = _by_window(right, down, shape, rs.window, setting, image, len(codes), self.effort)
        places = np.where(grid >= 0, grid // len(codes), -1)
        turns = np.where(grid >= 0, np.array(codes)[grid % len(codes)], 0)
        whole = lay_out(pieces, places, turns, rs.gap)
        scores = {'right': right, 'down': down} if len(codes) == 1 else {}
        return Recovery(as_plain(whole, setting), places, turns, float(certainty.mean()), extra=scores)

    def scores(self, pieces, setting, codes):
        """(right, down): float32 (N, N) log-posteriors for pieces times turns; see :mod:`.edges`."""
        right = self.seams(pieces, pieces, setting, codes)
        n = len(pieces)
        same = np.arange(n * len(codes)) // len(codes)
        banned = np.nonzero(same[:, None] == same) if len(codes) > 1 else (np.arange(n), np.arange(n))
        if 1 in codes:  # a quarter anti-clockwise turns "below" into "right of"
            quarter = np.array([codes.index(_after_quarter(code)) for code in codes])
            items = (np.arange(n)[:, None] * len(codes) + quarter).ravel()
            right = posteriors(right, banned)
            return right, right[np.ix_(items, items)]
        upright = pieces.swapaxes(1, 2)  # mirrored at the diagonal: below becomes right of
        swapped = [{0: 0, 2: 2, 4: 6, 6: 4}[code] for code in codes]
        down = self.seams(upright, upright, setting, swapped)
        return posteriors(right, banned), posteriors(down, banned)

    def seams(self, left, right, setting, codes):
        """Scores (N, N) of all pieces under all turns; learned attacks write their own."""
        from skimage.color import rgb2lab

        def turned(pieces):
            return np.stack([turn(pieces, code) for code in codes], axis=1).reshape(
                (-1,) + turn(pieces, codes[0]).shape[1:]
            )

        a = np.ascontiguousarray(turned(left))
        lab = rgb2lab(a / 255).astype(np.float32)
        return seam_scores(a, a, lab, lab, setting.shuffle.gap)


def turn_codes(rs):
    """The codes by which a piece may have to be turned back: one, 4 (oblong) or 8 (square)."""
    if not rs.orient:
        return [0]
    return list(range(8)) if rs.patch_size[0] == rs.patch_size[1] else [0, 2, 4, 6]


def _after_quarter(code):
    """The code of: first ``code``, then a quarter anti-clockwise."""
    return (code + 1) % 4 if code < 4 else 4 + (code - 1) % 4


def _by_window(right, down, shape, window, setting, image, twins, effort):
    """Assemble the whole, or each window by itself; items (rows, columns) and certainty."""
    if window is None or window >= max(shape):
        solver = Assembler(right, down, setting.plain_grid(image.shape), twins, effort)
        grid = solver.solve()
        return grid, solver.certainty(grid)
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    grid, certainty = np.full(shape, -1), np.zeros(shape, np.float32)
    for top in range(0, shape[0], window):
        for left in range(0, shape[1], window):
            here = np.s_[top : top + window, left : left + window]
            block = index[here]
            items = (block.reshape(-1, 1) * twins + np.arange(twins)).ravel()
            part = np.ix_(items, items)
            if block.size == 1:
                grid[here] = items[0]
                continue
            solver = Assembler(right[part], down[part], block.shape, twins, max(2, effort // 8))
            found = solver.solve()
            grid[here] = np.where(found >= 0, items[found], -1)
            certainty[here] = solver.certainty(found)
    return grid, certainty


def as_plain(whole, setting):
    """The reassembled picture, (H, W, 3) uint8: unmixed where it was mixed, in the plain size where that is known."""
    if setting.mixup:
        from .mixing import unmix

        whole = unmix(whole, setting.mixup)
    return resized(whole, setting.plain_shape or whole.shape[:2])
