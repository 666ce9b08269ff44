"""Which of these photos is it? Matching an encrypted image against candidates."""

import numpy as np

from .base import Attack, Recovery, register
from .jigsaw import turn_codes
from .mixing import mix
from .pieces import as_rgb, as_uint8, cut, resized, turn


@register
class Linkage(Attack):
    """Ranks candidate photos by how well they explain the encrypted image.

    Shuffled: the mean, over the pieces, of the distance to the nearest core of
    the candidate (a Chamfer distance); the order of the pieces plays no part,
    so no shuffle of any kind helps. Mixed: the distance to the candidate's own
    mixing. Noise from JPEG, a gap and dropped patches is no obstacle.
    """

    name = 'linkage'
    source = 'Chamfer distance of patch sets; limits of instance encoding, Carlini et al., arXiv 2011.05315'
    cost = 'milliseconds a pair'
    needs = ('candidates',)
    supposing = 'the photo is among some that the attacker has'

    def _recover(self, image, setting, given):
        pieces = _features(as_rgb(image), setting, turned=False)
        distances = [self.distance(pieces, candidate, setting, image.shape) for candidate in given.candidates]
        ranking = np.argsort(distances, kind='stable')
        first, second = (distances[ranking[k]] if k < len(ranking) else np.inf for k in (0, 1))
        sure = 0.0 if second == 0 else 1 - first / second if np.isfinite(second) else 0.0
        best = as_uint8(given.candidates[int(ranking[0])])
        found = resized(best, setting.plain_shape or best.shape[:2])
        return Recovery(found, confidence=float(np.clip(sure, 0, 1)), ranking=ranking, extra={'distances': distances})

    @staticmethod
    def distance(pieces, candidate, setting, encrypted_shape):
        """Mean root distance of the pieces (n, d) to the nearest of the candidate's."""
        theirs = _features(_fitted(candidate, setting, encrypted_shape), setting, turned=True, plain=True)
        if setting.shuffle is None:
            return float(np.sqrt(((pieces - theirs) ** 2).mean()))
        squares = (pieces**2).sum(1)[:, None] + (theirs**2).sum(1) - 2 * pieces @ theirs.T
        return float(np.sqrt(np.maximum(squares.min(axis=1), 0)).mean() / np.sqrt(pieces.shape[1]))


def _fitted(candidate, setting, encrypted_shape):
    """The candidate as (H, W, 3) float32 in the size that the plain image must have had."""
    shape = setting.plain_shape
    if shape is None:
        shape = encrypted_shape[:2]
        if setting.shuffle:
            rows, cols = setting.plain_grid(encrypted_shape)
            shape = rows * setting.shuffle.patch_size[0], cols * setting.shuffle.patch_size[1]
        if setting.mixup:
            shape = tuple(length * setting.mixup.grid for length in shape)
    return as_rgb(resized(candidate, shape))


def _features(image, setting, turned, plain=False):
    """(n, d) pieces of an encrypted image, or of what a plain one would become."""
    rs = setting.shuffle
    if plain:
        for step in setting.steps:
            image = step.plan(image.shape).grid.fit(image) if step is setting.mixup else image
            image = mix(image, step) if step is setting.mixup else image
    if rs is None:
        return image.reshape(1, -1)
    if not plain:
        return cut(image, setting.places(image.shape)).reshape(-1, rs.core_size[0] * rs.core_size[1] * 3)
    cores = plain_cores(image, rs)
    ways = turn_codes(rs) if turned else [0]
    return np.concatenate([turn(cores, code).reshape(len(cores), -1) for code in ways])


def plain_cores(image, rs):
    """(n, h, w, C): what a shuffle keeps of each patch of a plain image, row by row."""
    from ..encryption import PatchGrid

    grid = PatchGrid(image.shape[:2], rs.patch_size, rs.remainder)
    patches, (ph, pw) = cut(grid.fit(image), grid.shape), rs.patch_size
    return patches[:, rs.gap : ph - rs.gap, rs.gap : pw - rs.gap]
