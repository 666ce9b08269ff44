"""PSNR and SSIM of a reconstruction, and what they are without any attack."""

from __future__ import annotations

import numpy as np

from ..solver.pieces import as_uint8, resized

MOST_DB = 100.0  # of the PSNR, which is infinite for equal images


class Likeness:
    """PSNR and SSIM of a reconstruction to the plain image."""

    @staticmethod
    def calculate(plain: np.ndarray, found: np.ndarray) -> dict[str, float]:
        """Return ``psnr`` in dB, at most 100, and ``ssim``.

        Args:
            plain: (H, W[, C]).
            found: (h, w[, C]); resized to the plain size.
        """
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity

        plain = as_uint8(plain)
        found = resized(found, plain.shape[:2])
        with np.errstate(divide='ignore'):
            psnr = min(MOST_DB, float(peak_signal_noise_ratio(plain, found, data_range=255)))
        side = min(7, *(length - 1 + length % 2 for length in plain.shape[:2]))
        if side < 3:
            return {'psnr': psnr, 'ssim': float(np.array_equal(plain, found))}
        return {'psnr': psnr, 'ssim': float(structural_similarity(plain, found, channel_axis=2, win_size=side))}


def floors(plain: np.ndarray, encrypted: np.ndarray, patch_size: tuple[int, int]) -> dict[str, dict[str, float]]:
    """Return PSNR and SSIM of pictures that cost no attack.

    Args:
        plain: (H, W[, C]).
        encrypted: the encrypted image; resized to the plain size.
        patch_size: (h, w) of the plain patches, in pixels.

    Returns:
        ``{floor: {'psnr', 'ssim'}}`` of the floors 'encrypted', 'mean colour'
        and 'mosaic', which has one colour for each patch.
    """
    plain = as_uint8(plain)
    flat = np.broadcast_to(plain.mean(axis=(0, 1)), plain.shape)
    (ph, pw), (h, w) = patch_size, plain.shape[:2]
    tiles = np.zeros(plain.shape, np.float32)
    for y in range(0, h, ph):
        for x in range(0, w, pw):
            tiles[y : y + ph, x : x + pw] = plain[y : y + ph, x : x + pw].mean(axis=(0, 1))
    pictures = {
        'encrypted': encrypted,
        'mean colour': flat.round().astype(np.uint8),
        'mosaic': tiles.round().astype(np.uint8),
    }
    return {name: Likeness.calculate(plain, picture) for name, picture in pictures.items()}
