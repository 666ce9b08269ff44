"""What no better search could improve: pictures with all pieces at their true places, and what the truth scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...encryption import ShufflePlan
from ...encryption.turns import inverse
from ..solver.grids import place_shape
from ..solver.pieces import as_rgb, cut
from ..solver.restore import restore
from .cases import Case
from .places import truth_grid

Scores = tuple[np.ndarray, np.ndarray]


def true_places(plan: ShufflePlan) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the places of all pieces and how they are turned back: int64 (rows, columns) twice, or None unturned.

    Places of patches that were dropped are -1.
    """
    places = truth_grid(np.arange(plan.permutation.size), plan.permutation, plan.grid.shape)
    if plan.orientation is None:
        return places, None
    return places, np.where(places >= 0, inverse(plan.orientation)[places], 0)


def in_true_tone(encrypted: np.ndarray, plan: ShufflePlan) -> np.ndarray:
    """Return an encrypted image as it would be without tone; noise stays."""
    if plan.tone is None:
        return encrypted
    found = np.array(encrypted, order='C')
    plan.tone.invert(found, plan.shape)
    return found


def bare_pieces(case: Case, plan: ShufflePlan) -> np.ndarray:
    """Return the pieces of a case without tone and noise, by which equal ones are told: (n, h, w[, C])."""
    if plan.noise is not None and case.plain is not None and case.plan is not None:
        bare = replace(case.plan, shuffle=replace(plan, tone=None, noise=None))
        return cut(bare.apply(case.plain), plan.shape)
    return cut(np.ascontiguousarray(in_true_tone(case.encrypted, plan)), plan.shape)


def true_picture(case: Case) -> np.ndarray | None:
    """Return the picture of all pieces at their true places, as attacks draw pieces: (H, W, 3) uint8.

    Pieces have their true tone. None without truth, and where nothing was shuffled.
    """
    if case.plan is None or case.plan.shuffle is None:
        return None
    pieces = cut(as_rgb(case.encrypted), place_shape(case.scheme, case.encrypted.shape))
    places, turns = true_places(case.plan.shuffle)
    solved = cut(as_rgb(in_true_tone(case.encrypted, case.plan.shuffle)), case.plan.shuffle.shape)
    sure = np.ones(places.shape, np.float32)
    return restore(pieces, places, turns, case.scheme, case.plain_shape, sure, solved).image


def search(plan: ShufflePlan, places: np.ndarray, scores: Scores) -> dict[str, float]:
    """Return what the truth and the places found are worth under the scores of an attack.

    Found well below the truth: the search failed. Found above it: the scores did.

    Args:
        plan: of the shuffle; without turns.
        places: int (rows, columns), as found.
        scores: float32 (n, n) twice, log-posteriors of right of and below.

    Returns:
        ``truth`` and ``found``, in nats, as :func:`..solver.assembly.value` counts.
    """
    from ..solver.assembly import value  # needs SciPy and Numba

    return {'truth': float(value(true_places(plan)[0], *scores)), 'found': float(value(places, *scores))}
