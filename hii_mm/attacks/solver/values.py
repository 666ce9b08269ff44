"""What a shuffle does to the values of pieces: noise, and tone. NumPy only."""

from __future__ import annotations

import numpy as np

from ...encryption.noise import Noise
from ...encryption.tone import Tone


def with_noise(pieces: np.ndarray, deviation: int, rng: np.random.Generator) -> np.ndarray:
    """Give pieces, (n, h, w, 3) of whole levels of 8 bits, noise as an owner does: float32; with 0 they stay."""
    if not deviation:
        return pieces
    found = _levels(pieces)
    Noise.draw(deviation, rng).apply(found.reshape(-1, *pieces.shape[2:]))
    return found.astype(np.float32)


def with_tone(pieces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give pieces, (n, h, w, 3) of whole levels of 8 bits, tones as an owner does: float32."""
    found, n = _levels(pieces), len(pieces)
    Tone.draw(n, rng).apply(found.reshape(-1, *pieces.shape[2:]), (n, 1))
    return found.astype(np.float32)


def _levels(pieces: np.ndarray) -> np.ndarray:
    """Return pieces as levels, a contiguous copy of uint8."""
    return np.ascontiguousarray(pieces.round().clip(0, 255).astype(np.uint8))
