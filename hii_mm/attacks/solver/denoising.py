"""Take noise of a known deviation off a picture. scikit-image is imported when it is used."""

from __future__ import annotations

import numpy as np

STRENGTH = 0.8  # distance at which patches count as alike, in deviations; a little less than 1, as the library advises
PATCH, FAR = 3, 5  # pixels: side of the patches that are compared, and how far they lie apart at most


def denoised(image: np.ndarray, deviation: int) -> np.ndarray:
    """Return a picture without noise, by non-local means; with deviation 0 it stays as it is.

    Source: Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005.

    Args:
        image: float32 (H, W, 3) in [0, 255].
        deviation: of the noise, in levels.
    """
    if not deviation:
        return image
    from skimage.restoration import denoise_nl_means

    share = deviation / 255
    found = denoise_nl_means(
        image / 255,
        patch_size=PATCH,
        patch_distance=FAR,
        h=STRENGTH * share,
        sigma=share,
        fast_mode=True,
        channel_axis=-1,
    )
    return (255 * found).clip(0, 255).astype(np.float32)
