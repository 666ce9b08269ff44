"""The measures of a seam between pieces that may have any tone. NumPy only.

For each pair the state (:mod:`.tones`) that fits best is sought, and each
window's likelihood ratio (:mod:`.tone_windows`) is taken in this state. Levels
are a nuisance of which nothing is supposed. Beside that, each colour may be
inverted by itself, and the contrasts beside the seam, which tone keeps, are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...errors import AttackRefusedError
from .student import StudentT
from .tone_windows import CHROMA, COLOUR, GREY, ToneWindow, by_state, energy, freely, log_ratio, planes
from .tones import ORDERS, bare

SHARE = 0.12  # of the windows' ratios, which overlap, for the probability of a state; fitted on public crops
AT_ONCE = 100_000  # pairs that are measured at once
SHAPES = ((1, 0, False), (2, 0, False), (2, 6, False), (2, 3, True))  # columns, rows (0: all), contrast
KIND_SHAPES = {GREY: (0, 1, 3), CHROMA: (0, 1), COLOUR: (1, 2)}
FREE = (2, 0)  # columns and rows of the windows whose colours may be inverted one by one


def windows(h: int, w: int) -> tuple[ToneWindow, ...]:
    """Return the shapes of windows that fit pieces of (h, w), each once.

    Raises:
        AttackRefusedError: pieces of a single pixel.
    """
    found = []
    for kind, chosen in KIND_SHAPES.items():
        for columns, rows, contrast in (SHAPES[number] for number in chosen):
            found.append(ToneWindow(min(columns, w), min(rows or h, h), contrast and min(h, w) > 1, kind))
    shapes = tuple(dict.fromkeys(window for window in found if window.size > 2))
    if not shapes:
        raise AttackRefusedError(f'pieces of {h} x {w} show nothing but their level, which tone hides')
    return shapes


def names(shapes: Sequence[ToneWindow]) -> tuple[str, ...]:
    """Return the names of the measures, in order."""
    return (*(shape.name for shape in shapes), 'free', 'energy')


def measured(
    left: np.ndarray, right: np.ndarray, shapes: Sequence[ToneWindow], densities: Sequence[Sequence[StudentT]]
) -> np.ndarray:
    """Return all measures as they come: float32 (K, n, m).

    Args:
        left: float32 (n, h, w, 3) RGB in [0, 255], of any tone; their right sides meet the others' left sides.
        right: float32 (m, h, w, 3).
        shapes: of the windows.
        densities: of true neighbours, one for each window.
    """
    found = np.empty((len(shapes) + 2, len(left), len(right)), np.float32)
    for rows, one, ratios, each in _parts(left, right, shapes, densities):
        state = np.sum(each, axis=0).argmax(axis=0)[None]
        for number, part in enumerate(each):
            found[number, rows] = np.take_along_axis(part, state, 0)[0]
        found[-2, rows] = freely(ratios[_free(shapes)])
        found[-1, rows] = _energies(one, bare(right).pieces)
    return found


def states(
    left: np.ndarray, right: np.ndarray, shapes: Sequence[ToneWindow], densities: Sequence[Sequence[StudentT]]
) -> np.ndarray:
    """Return the log-probability of each state of each pair, if they are neighbours: float32 (12, n, m)."""
    parts = [np.sum(each, axis=0) for _, _, _, each in _parts(left, right, shapes, densities)]
    total = SHARE * np.concatenate(parts, axis=1)
    total -= total.max(axis=0)
    found: np.ndarray = total - np.log(np.exp(total).sum(axis=0))
    return found


def _parts(
    left: np.ndarray, right: np.ndarray, shapes: Sequence[ToneWindow], densities: Sequence[Sequence[StudentT]]
) -> Iterator[tuple[slice, np.ndarray, list[np.ndarray], list[np.ndarray]]]:
    """Yield some left pieces: which, without tone, the windows' ratios, and the same by state (12, rows, m)."""
    one, two = bare(left).pieces, bare(right).pieces
    step = max(1, AT_ONCE // len(right))
    for top in range(0, len(left), step):
        part = one[top : top + step]
        ratios = [log_ratio(part, two, shape, pair[0]) for shape, pair in zip(shapes, densities)]
        yield slice(top, top + step), part, ratios, [by_state(each) for each in ratios]


def _free(shapes: Sequence[ToneWindow]) -> int:
    """Return the number of the window whose colours may be inverted one by one."""
    colours = [number for number, shape in enumerate(shapes) if shape.kind == COLOUR]
    return min(colours, key=lambda number: (abs(shapes[number].columns - FREE[0]), -shapes[number].rows))


def _energies(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return minus the difference of the log contrasts beside the seam, colours in the best order: (n, m)."""
    a = np.log(energy(planes(left, COLOUR)[..., -4:]).mean(axis=2) + 2)
    b = np.log(energy(planes(right, COLOUR)[..., :4]).mean(axis=2) + 2)
    far = np.abs(a[:, None, :, None] - b[None, :, None, :])
    found: np.ndarray = np.max([-sum(far[k, other] for k, other in enumerate(order)) for order in ORDERS], axis=0)
    return found
