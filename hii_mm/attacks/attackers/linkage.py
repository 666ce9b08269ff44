"""Match an encrypted image against candidate photos."""

from __future__ import annotations

import numpy as np

from ...encryption import Scheme
from ..base import Attack, Figures, Given, Recovery, register
from ..solver.grids import place_shape, plain_size
from ..solver.pieces import all_turns, as_rgb, as_uint8, before_shuffle, cut, plain_cores, resized, turn_codes
from ..solver.tones import forms


@register
class Linkage(Attack):
    """Rank candidate photos by how well they explain the encrypted image.

    Shuffled: the mean, over the pieces, of the distance to the nearest core of
    the candidate (a Chamfer distance). The order of the pieces plays no part,
    so no shuffle of any kind helps, nor does tone: what it leaves is compared.
    Mixed: the distance to the candidate's own mixing. JPEG noise, a gap and
    dropped patches do not prevent it.
    """

    name = 'linkage'
    source = 'Chamfer distance of patch sets; limits of instance encoding, Carlini et al., arXiv 2011.05315'
    cost = 'milliseconds a pair'
    needs = ('candidates',)
    supposing = 'the photo is among some that the attacker has'
    main = 'named'

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        pieces = _pieces(image, scheme)
        size = plain_size(scheme, image.shape, given.plain_shape)
        distances = [
            distance(pieces, _plain_pieces(resized(photo, size), scheme), scheme) for photo in given.candidates
        ]
        ranking = np.argsort(distances, kind='stable')
        first, second = (distances[ranking[k]] if k < len(ranking) else np.inf for k in (0, 1))
        sure = 0.0 if second == 0 else 1 - first / second if np.isfinite(second) else 0.0
        best = as_uint8(given.candidates[int(ranking[0])])
        return Recovery(
            resized(best, given.plain_shape or best.shape[:2]),
            ranking=ranking,
            confidence=float(np.clip(sure, 0, 1)),
            facts={'distances': distances},
        )

    @classmethod
    def words(cls, figures: Figures) -> str | None:
        """Return how often the right photo was ranked first; None without the truth."""
        share = figures.means.get('named')
        if share is None:
            return None
        chance = figures.floors.get('chance', {}).get('named', 0)
        return f'The right photo was named for {share:.0%} of the images (chance {chance:.1%}).'


def distance(pieces: np.ndarray, theirs: np.ndarray, scheme: Scheme) -> float:
    """Return the root mean square distance of pieces (n, d) to those of a candidate (m, d), in grey levels.

    Shuffled: of each piece to its nearest one, averaged over the pieces.
    """
    if scheme.shuffle is None:
        return float(np.sqrt(((pieces - theirs) ** 2).mean()))
    squares = (pieces**2).sum(1)[:, None] + (theirs**2).sum(1) - 2 * pieces @ theirs.T
    return float(np.sqrt(np.maximum(squares.min(axis=1), 0)).mean() / np.sqrt(pieces.shape[1]))


def _pieces(image: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Return the pieces of an encrypted image, (n, d); without a shuffle the whole image is one."""
    image = as_rgb(image)
    if scheme.shuffle is None:
        return image.reshape(1, -1)
    pieces = cut(image, place_shape(scheme, image.shape))
    pieces = forms(pieces) if scheme.shuffle.tone else pieces
    return pieces.reshape(len(pieces), -1)


def _plain_pieces(plain: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Return the pieces (n, d) that a plain image would become, in all turns."""
    image = before_shuffle(plain, scheme)
    if scheme.shuffle is None:
        return image.reshape(1, -1)
    cores, codes = plain_cores(image, scheme.shuffle), turn_codes(scheme.shuffle)
    cores = forms(cores) if scheme.shuffle.tone else cores
    return all_turns(cores, codes).reshape(len(cores) * len(codes), -1)
