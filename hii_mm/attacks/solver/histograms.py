"""Histograms of pieces that do not depend on their order, and words for colours. NumPy only."""

from __future__ import annotations

import numpy as np

NAMED = {
    'black': (0, 0, 0), 'white': (255, 255, 255), 'grey': (128, 128, 128), 'red': (200, 30, 30),
    'orange': (240, 140, 30), 'yellow': (240, 220, 60), 'green': (60, 140, 50), 'cyan': (60, 190, 200),
    'blue': (50, 80, 190), 'purple': (130, 50, 150), 'pink': (240, 150, 180), 'brown': (120, 75, 40),
    'skin': (225, 175, 145),
}  # fmt: skip
FLAT = 6.0  # grey levels: standard deviation below which a piece shows nothing
LEVELS = 6  # of each colour channel
STEPS = np.array([1, 2, 4, 8, 16, 32, 64], np.float32)  # grey levels: edges of the bins of differences
DIRECTIONS = 8


def bag_of(pieces: np.ndarray, turned: bool = False) -> np.ndarray:
    """Return histograms of all pieces together: float32 (d,), the square roots of shares.

    Colours of pixels, mean colours of pieces, contrast of pieces by their
    brightness, and differences of pixels within pieces by size and direction.

    Args:
        pieces: (n, h, w, 3) float32 in [0, 255], in any order.
        turned: pieces may be turned or mirrored: directions are left out.
    """
    grey = pieces.mean(axis=3)
    mean, contrast = grey.mean(axis=(1, 2)), grey.std(axis=(1, 2))
    bright = np.minimum(mean / 64, 3).astype(int)
    parts = [
        _cells(pieces.reshape(-1, 3)),
        _cells(pieces.mean(axis=(1, 2))),
        _shares(bright * 8 + np.digitize(contrast, STEPS), 32),
        _differences(grey, turned),
        _shares(np.digitize(np.abs(np.diff(grey, n=2, axis=2)).ravel(), STEPS), 8),
    ]
    return np.sqrt(np.concatenate(parts)).astype(np.float32)


def colour_shares(pieces: np.ndarray) -> dict[str, float]:
    """Return ``{name of a colour: share of the pixels}``, the largest first; ``NAMED`` are those that there are."""
    palette = np.array(list(NAMED.values()), np.float32)
    pixels = pieces.reshape(-1, 3).astype(np.float32)
    far = (palette**2).sum(axis=1) - 2 * pixels @ palette.T
    shares = _shares(far.argmin(axis=1), len(NAMED))
    order = np.argsort(-shares, kind='stable')
    return {list(NAMED)[k]: float(shares[k]) for k in order if shares[k] > 0}


def flat_share(pieces: np.ndarray) -> float:
    """Return the share of pieces (n, h, w, 3) that vary by less than ``FLAT`` grey levels."""
    return float((pieces.mean(axis=3).std(axis=(1, 2)) < FLAT).mean())


def _shares(index: np.ndarray, count: int) -> np.ndarray:
    """Return how often each of the numbers 0 .. count - 1 occurs, as shares: float64 (count,)."""
    return np.bincount(index, minlength=count) / max(1, index.size)


def _cells(colours: np.ndarray) -> np.ndarray:
    """Return the histogram of colours (n, 3), by brightness and two differences of channels: (``LEVELS`` ** 3,)."""
    r, g, b = colours.T
    axes = np.stack([(r + g + b) / 3, (r - g + 255) / 2, (b - (r + g) / 2 + 255) / 2])
    axes[1:] = (axes[1:] - 127.5) * 2.5 + 127.5  # most photographs are not very colourful
    cell = np.clip(axes * LEVELS / 256, 0, LEVELS - 1).astype(int)
    return _shares((cell[0] * LEVELS + cell[1]) * LEVELS + cell[2], LEVELS**3)


def _differences(grey: np.ndarray, turned: bool) -> np.ndarray:
    """Return the histogram of gradients within pieces (n, h, w) by size, and by direction unless they were turned."""
    if min(grey.shape[1:]) < 2:
        return np.zeros(8 * DIRECTIONS)
    down, across = (grey[:, 1:, :-1] - grey[:, :-1, :-1]), (grey[:, :-1, 1:] - grey[:, :-1, :-1])
    size = np.digitize(np.hypot(down, across), STEPS)
    angle = np.arctan2(down, across) % np.pi * DIRECTIONS / np.pi
    way = np.zeros_like(size) if turned else (np.round(angle).astype(int) % DIRECTIONS)
    return _shares((size * DIRECTIONS + way).ravel(), 8 * DIRECTIONS)
