"""Show an image beside its encrypted version."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .encryption import Scheme
from .files import StrPath
from .images import read_colours

MARGIN, CAPTION, LEAST_WIDTH = 12, 28, 120  # pixels


def preview(path: StrPath, scheme: Scheme, rng: np.random.Generator | None = None) -> Image.Image:
    """Return the sheet of an image file.

    Args:
        path: of the image.
        scheme: how it is encrypted.
        rng: draws the shuffle; the default is a fresh one.

    Raises:
        RejectedError: a file that cannot be encrypted.
        InvalidValueError: an image that the scheme does not fit.
    """
    plain = read_colours(path)
    return sheet(plain, scheme.plan(plain.shape, rng or np.random.default_rng()).apply(plain))


def sheet(plain: np.ndarray, encrypted: np.ndarray, **more: np.ndarray) -> Image.Image:
    """Return images side by side, with captions.

    Args:
        plain: (H, W) or (H, W, 3), uint8.
        encrypted: likewise, of any size.
        more: likewise, by their captions.
    """
    images = {'plain': plain, 'encrypted': encrypted, **more}
    widths = [max(image.shape[1], LEAST_WIDTH) + MARGIN for image in images.values()]
    height = max(image.shape[0] for image in images.values()) + CAPTION + MARGIN
    page, left = Image.new('RGB', (sum(widths) + MARGIN, height), 'white'), MARGIN
    for (name, image), width in zip(images.items(), widths):
        caption = f'{name}, {image.shape[1]} x {image.shape[0]}'
        ImageDraw.Draw(page).text((left, 8), caption, fill='black')
        page.paste(Image.fromarray(image), (left, CAPTION))
        left += width
    return page
