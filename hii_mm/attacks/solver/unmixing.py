"""Estimate plain images from mixed ones: the averaging is known, linear and without a secret. NumPy and Pillow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from ...encryption import MixupParams
from ...encryption.mixup import average, spread

METHODS = ('mosaic', 'tikhonov', 'tv')
EDGE = 9  # squared grey levels, added to squared differences before they weigh an edge


def unmix(mixed: np.ndarray, params: MixupParams, method: str = 'tikhonov', steps: int = 60) -> np.ndarray:
    """Return the smoothest plain image that mixes to ``mixed``.

    Minimises the squared differences of neighbouring pixels ('tikhonov') or,
    by reweighting them four times, about their absolute values ('tv': total
    variation), over all images that mix exactly to ``mixed``, by conjugate
    gradients within those.

    Args:
        mixed: float (h, w, C).
        params: of the mixing.
        method: one of ``METHODS``; 'mosaic' inverts nothing.
        steps: steps of the conjugate gradients.

    Returns:
        float32 (h * g, w * g, C).
    """
    mixed = np.asarray(mixed, np.float32)
    if method == 'mosaic':
        return mosaic(mixed, params.core_size, params.patch_size)
    size = mixed.shape[0] * params.grid, mixed.shape[1] * params.grid
    start = _enlarged(mosaic(mixed, params.core_size, (1, 1)), size)
    start += spread(mixed - average(start, params), params)
    found = _smooth(start, params, None, steps)
    for _ in range(4 if method == 'tv' else 0):
        found = _smooth(found, params, _edges(found), steps // 2)
    return found


def mosaic(mixed: np.ndarray, core_size: tuple[int, int], patch_size: tuple[int, int]) -> np.ndarray:
    """Return the mean colour of each core of (h, w, C), each in the size of a patch."""
    (ch, cw), (ph, pw) = core_size, patch_size
    rows, cols = mixed.shape[0] // ch, mixed.shape[1] // cw
    means = mixed.reshape(rows, ch, cols, cw, -1).mean(axis=(1, 3))
    return means.repeat(ph, axis=0).repeat(pw, axis=1)


def descend(
    image: np.ndarray, rest: np.ndarray, pull: Callable[[np.ndarray], np.ndarray], steps: int, enough: float
) -> np.ndarray:
    """Return the image where ``rest`` becomes zero, by conjugate gradients.

    Args:
        image: float32 (H, W, C), where to start; not changed.
        rest: of the same shape, the right side minus ``pull(image)``.
        pull: the linear, symmetric, positive operator, image -> image.
        steps: maximal number of steps.
        enough: mean square of ``rest`` at which to stop.
    """
    direction, size = rest, float((rest * rest).sum())
    for _ in range(steps):
        if size < enough * image.size:
            break
        moved = pull(direction)
        step = size / max(float((direction * moved).sum()), 1e-12)
        image = image + step * direction
        rest = rest - step * moved
        size, before = float((rest * rest).sum()), size
        direction = rest + size / before * direction
    return image


def roughness(image: np.ndarray, weights: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """Return the gradient of half the sum of squared differences of neighbouring pixels.

    Args:
        image: float (H, W, C).
        weights: of the differences down and across, (H - 1, W, 1) and (H, W - 1, 1), or None.
    """
    out = np.zeros_like(image)
    for axis in (0, 1):
        step = np.diff(image, axis=axis)
        if weights:
            step *= weights[axis]
        ahead, behind = (np.s_[1:], np.s_[:-1]) if axis == 0 else (np.s_[:, 1:], np.s_[:, :-1])
        out[ahead] += step
        out[behind] -= step
    return out


def _edges(image: np.ndarray) -> list[np.ndarray]:
    """Return weights of the differences down and across: small where the image has an edge."""
    parts = [np.diff(image, axis=axis) for axis in (0, 1)]
    return [1 / np.sqrt((part**2).sum(axis=2, keepdims=True) + EDGE) for part in parts]


def _smooth(image: np.ndarray, params: MixupParams, weights: Sequence[np.ndarray] | None, steps: int) -> np.ndarray:
    """Minimise the roughness among images that mix to the same one."""

    def project(direction: np.ndarray) -> np.ndarray:
        return direction - spread(average(direction, params), params)

    rest = -project(roughness(image, weights))
    return descend(image, rest, lambda direction: project(roughness(direction, weights)), steps, 1e-5)


def _enlarged(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize float (h, w, C) to float32 of (H, W), bicubic, channel by channel."""
    channels = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[..., k])).resize(shape[::-1], Image.Resampling.BICUBIC))
        for k in range(image.shape[2])
    ]
    return np.stack(channels, axis=2).astype(np.float32)
