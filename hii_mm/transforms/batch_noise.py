"""Noise on whole batches with torch: the levels of :class:`hii_mm.encryption.noise.Noise`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..encryption import noise
from .batch_tone import LEVELS


def given_noise(images: Tensor, noises: Sequence[noise.Noise]) -> Tensor:
    """Add the noise of plans, value for value.

    Args:
        images: (B, C, h, w), uint8 or uint16, encrypted but for noise and tone.
        noises: of the images.

    Returns:
        Of the same shape and dtype, on the same device.
    """
    arrays = np.array(images.permute(0, 2, 3, 1).cpu().numpy(), order='C')
    for array, own in zip(arrays, noises):
        own.apply(array)
    return torch.from_numpy(arrays).permute(0, 3, 1, 2).contiguous().to(images.device)


def fresh_noise(images: Tensor, deviation: int, generator: torch.Generator | None) -> Tensor:
    """Add noise that is drawn on the device of the images.

    Args:
        images: (B, C, h, w), uint8 or uint16.
        deviation: in levels of 8 bits.
        generator: source of the noise; None is torch's own.

    Returns:
        Of the same shape and dtype.
    """
    words = torch.randint(noise.WORDS, tuple(images.shape), device=images.device, generator=generator)
    levels = noise.scaled(noise.byte_sums(words), deviation, noise.DEEPER[images.dtype.itemsize])
    return (images.to(torch.int64) + levels).clamp(0, LEVELS[images.dtype] - 1).to(images.dtype)
