"""Undoing mixing-up: a known, linear averaging that has no secret."""

import numpy as np

from .base import Attack, Recovery, register
from .pieces import as_rgb, resized

METHODS = ('mosaic', 'tikhonov', 'tv')


def mix(plain, params):
    """(H, W, C) -> (H / g, W / g, C) float32: the mean of the sub-patches, without rounding."""
    (ph, pw), g = params.patch_size, params.grid
    rows, cols = plain.shape[0] // ph, plain.shape[1] // pw
    split = plain.reshape(rows, g, ph // g, cols, g, pw // g, -1)
    return split.mean(axis=(1, 4)).reshape(rows * ph // g, cols * pw // g, -1)


def spread(mixed, params):
    """(h, w, C) -> (h * g, w * g, C): every sub-patch of a patch is the mixed one; mix(spread(m)) is m."""
    (ph, pw), g = params.core_size, params.grid
    rows, cols = mixed.shape[0] // ph, mixed.shape[1] // pw
    split = mixed.reshape(rows, 1, ph, cols, 1, pw, -1)
    tiled = np.broadcast_to(split, (rows, g, ph, cols, g, pw, split.shape[-1]))
    return tiled.reshape(mixed.shape[0] * g, mixed.shape[1] * g, -1)


def mosaic(mixed, core_size, patch_size):
    """(h, w, C) -> one colour a patch, in the plain size: what is left if nothing is inverted."""
    (ch, cw), (ph, pw) = core_size, patch_size
    rows, cols = mixed.shape[0] // ch, mixed.shape[1] // cw
    means = mixed.reshape(rows, ch, cols, cw, -1).mean(axis=(1, 3))
    return means.repeat(ph, axis=0).repeat(pw, axis=1)


def unmix(mixed, params, method='tikhonov', steps=60):
    """The smoothest plain image that mixes to this one.

    Minimises the squared differences of neighbouring pixels (``'tikhonov'``)
    or, by reweighting them four times, about their absolute values (``'tv'``:
    total variation), over all images that mix exactly to ``mixed``, by
    conjugate gradients within those.

    Args:
        mixed: float (h, w, C).
        params: the public :class:`hii_mm.encryption.MixupParams`.
        method: one of ``METHODS``.
        steps: steps of the conjugate gradients.

    Returns:
        ndarray: float32 (h * g, w * g, C).
    """
    mixed = np.asarray(mixed, np.float32)
    if method == 'mosaic':
        return mosaic(mixed, params.core_size, params.patch_size)
    size = mixed.shape[0] * params.grid, mixed.shape[1] * params.grid
    start = resized_float(mosaic(mixed, params.core_size, (1, 1)), size)
    start += spread(mixed - mix(start, params), params)
    found = _smooth(start, params, None, steps)
    for _ in range(4 if method == 'tv' else 0):
        found = _smooth(found, params, _edges(found), steps // 2)
    return found


def resized_float(image, shape):
    """(h, w, C) -> (H, W, C) float32, bicubic, channel by channel."""
    from PIL import Image

    channels = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[..., k])).resize(shape[::-1], Image.Resampling.BICUBIC))
        for k in range(image.shape[2])
    ]
    return np.stack(channels, axis=2).astype(np.float32)


def _edges(image):
    """Weights of the differences down and across: small where the image has an edge."""
    parts = [np.diff(image, axis=axis) for axis in (0, 1)]
    return [1 / np.sqrt((part**2).sum(axis=2, keepdims=True) + 9) for part in parts]


def _roughness(image, weights):
    """The gradient of half the weighted sum of squared differences."""
    out = np.zeros_like(image)
    for axis in (0, 1):
        step = np.diff(image, axis=axis)
        if weights:
            step *= weights[axis]
        ahead, behind = (np.s_[1:], np.s_[:-1]) if axis == 0 else (np.s_[:, 1:], np.s_[:, :-1])
        out[ahead] += step
        out[behind] -= step
    return out


def _smooth(image, params, weights, steps):
    """Conjugate gradients on the roughness, among images that mix to the same one."""

    def project(direction):
        return direction - spread(mix(direction, params), params)

    rest = -project(_roughness(image, weights))
    return descend(image, rest, lambda direction: project(_roughness(direction, weights)), steps, 1e-5)


def descend(image, rest, pull, steps, enough):
    """Conjugate gradients: the image where ``rest`` becomes zero.

    Args:
        image: float32 (H, W, C), where to start; not changed.
        rest: of the same shape, the right side minus ``pull(image)``.
        pull: the linear, symmetric, positive operator, image -> image.
        steps: at most so many.
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


@register
class MixupInverse(Attack):
    """Estimate the plain image from the known averaging.

    Args:
        method: ``'mosaic'``, ``'tikhonov'`` or ``'tv'``.
    """

    name = 'mixup-inverse'
    source = 'Tikhonov regularisation and total variation (Rudin, Osher and Fatemi, 1992) on the known operator'
    cost = 'under two seconds an image of 224 x 224 on one core'

    def __init__(self, method='tv'):
        if method not in METHODS:
            raise ValueError(f'method must be one of {", ".join(METHODS)}, got {method!r}')
        self.method = method

    def refuses(self, setting):
        """Only what was mixed can be unmixed; after a shuffle the jigsaw comes first."""
        if setting.mixup is None:
            return 'nothing was mixed at this setting'
        return 'the mixed patches were shuffled too: jigsaw reassembles and unmixes them' if setting.shuffle else None

    def _recover(self, image, setting, given):
        params = setting.mixup
        (h, w), (ch, cw) = image.shape[:2], params.core_size
        if h % ch or w % cw or not h * w:
            raise ValueError(f'a mixed image of {h} x {w} (h x w) is no multiple of a mixed patch of {ch} x {cw}')
        plain = unmix(as_rgb(image), params, self.method)
        shape = setting.plain_shape
        if shape and params.remainder != 'error':  # what was padded goes, what was cropped stays unknown
            plain = plain[: shape[0], : shape[1]]
            lost = [(0, shape[k] - plain.shape[k]) for k in (0, 1)]
            plain = np.pad(plain, [*lost, (0, 0)], mode='edge')
        return Recovery(resized(plain, shape or plain.shape[:2]), confidence=1.0)
