"""Random shuffling (RS): the patches of an image change places.

Source: Hao et al., "Human-Imperceptible, Machine-Recognizable Images",
arXiv 2306.03679, section 3.2. Gap, drop, orient and window are ours.
"""

import warnings
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from . import checks
from .grid import PatchGrid, as_patches

MANY = 1000  # numbers from which on a sort is the faster shuffle
MIRROR = 4  # orientation codes: quarter turns 0..3, plus 4 if mirrored after the turn


@dataclass(frozen=True)
class ShuffleParams:
    """Public parameters of a shuffle. Knowing them does not undo it.

    Args:
        patch_size: an int, or (h, w), in pixels.
        gap: pixels removed on every side of each patch. The rest of the
            patch, its core, is (h - 2 gap, w - 2 gap); cores are laid side by
            side, so the encrypted image is smaller.
        drop_ratio: least share of patches thrown away, in [0, 1). The kept ones
            fill a full rectangle: of all rectangles of at most as many rows
            and columns as the grid, and at most (1 - drop_ratio) of its
            patches, the one of most patches; among equals the one whose sides
            are nearest to the grid's own proportion, then the wider.
        orient: give each patch a random one of the 8 (square) or 4 (oblong)
            flips and rotations.
        window: permute only within windows of ``window`` x ``window`` places,
            counted from the top left; those at the right and bottom border
            may be smaller. With ``drop_ratio`` the windows lie on the kept
            rectangle, which the kept patches first fill in their plain order.
        remainder: ``'error'``, ``'pad'`` or ``'crop'``, see :class:`PatchGrid`.

    Raises:
        TypeError, ValueError: a value that is not accepted.
    """

    patch_size: object = 16
    gap: int = 0
    drop_ratio: float = 0.0
    orient: bool = False
    window: object = None
    remainder: str = 'error'

    def __post_init__(self):
        def keep(name, value):
            object.__setattr__(self, name, value)

        keep('patch_size', checks.pair('patch_size', self.patch_size, 1))
        keep('gap', checks.whole('gap', self.gap, 0))
        keep('drop_ratio', checks.share('drop_ratio', self.drop_ratio))
        keep('orient', checks.flag('orient', self.orient))
        checks.one_of('remainder', self.remainder, checks.REMAINDERS)
        if self.window is not None:
            keep('window', checks.whole('window', self.window, 2))
        if 2 * self.gap >= min(self.patch_size):
            raise ValueError(
                f'gap {self.gap} leaves nothing of a patch of {self.patch_size[0]} x {self.patch_size[1]}: '
                f'it must be less than half the shorter side, at most {(min(self.patch_size) - 1) // 2}'
            )

    @property
    def core_size(self):
        """(h, w) in pixels of what is left of a patch: the model's patch size."""
        return self.patch_size[0] - 2 * self.gap, self.patch_size[1] - 2 * self.gap

    def plan(self, plain_shape, rng):
        """Sample where each patch goes.

        Draws, in this order: without windows, the patches to keep in their new
        order (drawn again while it is the plain order); with windows, one
        permutation each, row by row (likewise), then the patches to keep, if
        any are dropped; and last the orientations.

        Args:
            plain_shape: (h, w), or an image's whole shape.
            rng: a :class:`numpy.random.Generator`, or an object with its
                ``permutation(n)`` and ``integers(high, size=)``.

        Returns:
            ShufflePlan

        Raises:
            ValueError: a size that cannot be cut into patches, a single
                patch, or a ``drop_ratio`` that leaves none.
        """
        grid, shape = _layout(self, tuple(plain_shape[:2]))
        total, kept = grid.shape[0] * grid.shape[1], shape[0] * shape[1]
        if self.window is None:
            permutation = _draw(total, kept, rng)
        else:
            permutation = _within_windows(shape, self.window, rng)
            if kept < total:
                permutation = np.sort(_draw(total, kept, rng))[permutation]
        orientation = None
        if self.orient:
            square = self.patch_size[0] == self.patch_size[1]
            orientation = rng.integers(8, size=kept) if square else 2 * rng.integers(4, size=kept)
        return ShufflePlan(grid, self.gap, shape, permutation, orientation)


@lru_cache(maxsize=64)
def _layout(params, plain_shape):
    """(PatchGrid, (rows, columns) of the kept rectangle) for images of (h, w)."""
    grid = PatchGrid(plain_shape, params.patch_size, params.remainder)
    if grid.shape == (1, 1):
        (h, w), (ph, pw) = grid.plain_shape, params.patch_size
        raise ValueError(
            f'an image of {h} x {w} (h x w) holds a single patch of {ph} x {pw}: '
            'there is nothing to shuffle; use smaller patches'
        )
    return grid, kept_shape(grid.shape, params.drop_ratio)


def kept_shape(grid_shape, drop_ratio):
    """(rows, columns) of the rectangle that the kept patches fill.

    The rule stands in :class:`ShuffleParams`.

    Raises:
        ValueError: nothing would be left.
    """
    rows, cols = grid_shape
    if drop_ratio == 0:
        return rows, cols
    most = int(rows * cols * (1 - drop_ratio) + 1e-9)
    if most < 1:
        least = 1 - 1 / (rows * cols)
        raise ValueError(
            f'drop_ratio {drop_ratio} leaves none of the {rows} x {cols} patches: at most {least:.4g} leaves one'
        )
    shapes = [(r, min(cols, most // r)) for r in range(1, min(rows, most) + 1)]
    return max(shapes, key=lambda s: (s[0] * s[1], -abs(s[0] * cols - s[1] * rows), s[1]))


def _draw(total, kept, rng):
    """int64 (kept,): as many of ``total`` things in random order, but not in ascending order (if two or more)."""
    while True:
        order = _permutation(total, rng)[:kept]
        if kept < 2 or order[0] > order[1] or (order[1:] < order[:-1]).any():
            return order


def _permutation(n, rng):
    """int64 (n,): as ``rng.permutation(n)``; of many, by sorting random keys, which NumPy does faster than shuffling.

    A key is 63 bits, the low ones the number itself. Two random parts are equal
    in one of ten million permutations of 10,000; there the lower number comes first.
    """
    if n < MANY or not isinstance(rng, np.random.Generator):
        return rng.permutation(n)
    bits = n.bit_length()
    keys = rng.integers(1 << (63 - bits), size=n)
    keys <<= bits
    keys |= np.arange(n)
    keys.sort()
    keys &= (1 << bits) - 1
    return keys


def _within_windows(shape, window, rng):
    """int64 (rows * columns,): a permutation that stays within windows; none of more than one place is the identity."""
    rows, cols = shape
    if window < max(shape) and rows % window == 1 and cols % window == 1:
        warnings.warn(
            f'window {window} on {rows} x {cols} patches leaves a window of one patch in the bottom right '
            'corner, which stays where it is',
            stacklevel=3,
        )
    places = np.arange(rows * cols).reshape(shape)
    moved = np.empty_like(places)
    for top in range(0, rows, window):
        for left in range(0, cols, window):
            here = np.s_[top : top + window, left : left + window]
            block = places[here]
            moved[here] = block.ravel()[_draw(block.size, block.size, rng)].reshape(block.shape)
    return moved.ravel()


@lru_cache(maxsize=16)
def _runs(shape, columns, height):
    """Where in a list of runs, one line of one patch each, a patch's lines stand.

    Args:
        shape: (rows, columns) of the places that the runs are put to.
        columns: of the image that they are taken from.
        height: lines of a patch.

    Returns:
        tuple: int64 (shape[0] * shape[1],), the first line of each place; and
        int64 (height * columns,), how far behind it each line of a row of
        patches is.
    """
    place = np.arange(shape[0] * shape[1])
    behind = np.arange(0, height * shape[1], shape[1])
    return place + place // shape[1] * (height - 1) * shape[1], behind.repeat(columns)


@dataclass(frozen=True, eq=False)
class ShufflePlan:
    """Where each patch of one image goes. Made by :meth:`ShuffleParams.plan`.

    Attributes:
        grid: the :class:`PatchGrid` of the plain image.
        gap: pixels removed on every side of each patch.
        shape: (rows, columns) of the encrypted image's places.
        permutation: int64 (rows * columns,); place i, counted row by row,
            holds plain patch ``permutation[i]``, counted the same way.
        orientation: int64 (rows * columns,) or None; the patch at place i was
            turned by ``orientation[i] % 4`` quarters anti-clockwise, then
            mirrored left to right if ``orientation[i] >= 4``.
    """

    grid: PatchGrid
    gap: int
    shape: tuple
    permutation: np.ndarray = field(repr=False)
    orientation: object = field(default=None, repr=False)

    @property
    def plain_shape(self):
        """(h, w) of the plain image."""
        return self.grid.plain_shape

    @property
    def core_size(self):
        """(h, w) of a patch in the encrypted image."""
        ph, pw = self.grid.patch_size
        return ph - 2 * self.gap, pw - 2 * self.gap

    @property
    def encrypted_shape(self):
        """(h, w) of the encrypted image."""
        return self.shape[0] * self.core_size[0], self.shape[1] * self.core_size[1]

    def apply(self, image, pad_value=None):
        """Shuffle an image; the input is not changed.

        Args:
            image: (H, W) or (H, W, C), uint8, uint16 or float32, any strides.
            pad_value: what ``remainder='pad'`` adds, as for masks; None repeats
                the last row and column.

        Returns:
            ndarray: C-contiguous, of ``encrypted_shape`` (plus C), same dtype.

        Raises:
            TypeError, ValueError: not such an image, or not of ``plain_shape``.
        """
        checks.check_image(image, *self.plain_shape)
        encrypted = self._scatter(np.ascontiguousarray(self.grid.fit(image, pad_value)))
        if self.orientation is not None:
            self._turn(encrypted, self.orientation)
        return encrypted

    def invert(self, image, fill=0):
        """Put every patch back; the input is not changed.

        Args:
            image: an encrypted image of ``encrypted_shape`` (plus C).
            fill: value for the pixels that the shuffle threw away,
                see :meth:`missing`.

        Returns:
            ndarray: of ``plain_shape`` (plus C). Without gap, drop and crop it
            is the plain image bit for bit.

        Raises:
            TypeError, ValueError: not such an image.
        """
        checks.check_image(image, *self.encrypted_shape)
        if self.orientation is not None:
            image = image.copy()
            turned = self.orientation
            self._turn(image, np.where(turned >= MIRROR, turned, -turned % 4))
        fitted = np.full(self.grid.fitted_shape + image.shape[2:], fill, dtype=image.dtype)
        cores = as_patches(np.ascontiguousarray(image), *self.shape)
        self._cores(fitted)[np.divmod(self.permutation, self.grid.shape[1])] = cores.reshape((-1,) + cores.shape[2:])
        return self.grid.unfit(fitted, fill)

    def missing(self):
        """Bool (h, w) of ``plain_shape``: True where the plain pixel is lost."""
        fitted = np.ones(self.grid.fitted_shape, dtype=bool)
        self._cores(fitted)[np.divmod(self.permutation, self.grid.shape[1])] = False
        return self.grid.unfit(fitted, fill=True)

    def _cores(self, fitted):
        """View a fitted plain image as (rows, cols, core h, core w[, C])."""
        (ph, pw), gap = self.grid.patch_size, self.gap
        return as_patches(fitted, *self.grid.shape)[:, :, gap : ph - gap, gap : pw - gap]

    def _scatter(self, fitted):
        """Move the cores of a C-contiguous fitted image to their places.

        One row of a core is a contiguous run, handled as one opaque item. The
        image is read in order and the runs are put where they belong: that
        reads memory once, in the order the prefetcher likes, where a gather
        would jump. Runs of dropped patches all go to one spare item.
        """
        (rows, cols), (ch, cw), gap = self.grid.shape, self.core_size, self.gap
        ph, pw = self.grid.patch_size
        line, pixel = fitted.strides[:2]
        run = f'V{cw * pixel}'
        first_core, strides = gap * (line + pixel), (ph * line, line, pw * pixel)
        source = np.ndarray((rows, ch, cols), run, fitted, first_core, strides)
        kept = self.permutation.size
        target = np.empty(kept * ch + 1, run)
        first = np.full(rows * cols, kept * ch) if kept < rows * cols else np.empty(kept, np.int64)
        starts, behind = _runs(self.shape, cols, ch)
        first[self.permutation] = starts
        index = first.reshape(rows, 1, cols).repeat(ch, axis=1).reshape(rows, -1)
        index += behind
        # 'clip': every line of a dropped patch goes to the spare item
        target.put(index, source, mode='clip')
        return np.ndarray(self.encrypted_shape + fitted.shape[2:], fitted.dtype, target)

    def _turn(self, encrypted, codes):
        """Turn and mirror, in place, the patch at each place by its code."""
        patches = as_patches(encrypted, *self.shape)
        for code in np.unique(codes[codes != 0]):
            where = np.divmod(np.flatnonzero(codes == code), self.shape[1])
            turned = np.rot90(patches[where], k=int(code) % 4, axes=(1, 2))
            patches[where] = turned[:, :, ::-1] if code >= MIRROR else turned
