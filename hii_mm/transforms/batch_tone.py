"""Tone on whole batches with torch: the levels of :class:`hii_mm.encryption.tone.Tone`, value for value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..encryption import tone
from ..errors import InvalidTypeError, InvalidValueError

LEVELS = {torch.uint8: 1 << 8, torch.uint16: 1 << 16}


class BatchTone(NamedTuple):
    """The tone of each patch of a batch, by place.

    Attributes:
        order: int64 (B, places), codes of :data:`hii_mm.encryption.tone.ORDERS`.
        inverted: bool (B, places, 4).
        level: int64 (B, places, 4) in [0, 2**32).
    """

    order: Tensor
    inverted: Tensor
    level: Tensor

    @classmethod
    def draw(cls, count: int, places: int, device: Any, generator: torch.Generator | None) -> BatchTone:
        """Draw the tone of ``count`` images of ``places`` patches."""

        def below(high: int, *shape: int) -> Tensor:
            return torch.randint(high, (count, places, *shape), device=device, generator=generator)

        return cls(below(len(tone.ORDERS)), below(2, tone.CHANNELS).to(torch.bool), below(tone.WORDS, tone.CHANNELS))

    @classmethod
    def of(cls, tones: Sequence[tone.Tone], device: Any) -> BatchTone:
        """Return the tones of several plans as one batch."""
        parts = (np.stack([getattr(each, name) for each in tones]) for name in cls._fields)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    def apply(self, images: Tensor, shape: tuple[int, int]) -> Tensor:
        """Give each patch its tone.

        Args:
            images: (B, C, rows * h, columns * w), uint8 or uint16.
            shape: (rows, columns).

        Returns:
            Of the same shape and dtype.

        Raises:
            InvalidTypeError, InvalidValueError: see :func:`check_tonable`.
        """
        check_tonable(images)
        (batch, channels, height, width), (rows, columns) = images.shape, shape
        split = images.to(torch.int32).view(batch, channels, rows, height // rows, columns, width // columns)
        cores = split.permute(0, 2, 4, 1, 3, 5).flatten(4).flatten(1, 2)  # (B, places, C, h * w)
        if channels > 2:
            source = torch.from_numpy(tone.ORDERS).to(images.device)[self.order]
            alpha = torch.full_like(source[..., :1], 3)
            source = torch.cat([source, alpha], dim=2)[..., :channels, None]
            cores = cores.gather(2, source.expand_as(cores))
        toned = self._moved(cores, channels, LEVELS[images.dtype]).view(
            batch, rows, columns, channels, *split.shape[3::2]
        )
        return toned.permute(0, 3, 1, 4, 2, 5).reshape(images.shape).to(images.dtype)

    def _moved(self, cores: Tensor, channels: int, levels: int) -> Tensor:
        """Invert the channels of cores, int32 (B, places, C, h * w), and move their ranges."""
        inverted, level = self.inverted[..., :channels, None], self.level[..., :channels, None]
        least, most = cores.amin(dim=3, keepdim=True), cores.amax(dim=3, keepdim=True)
        room = levels - (most - least)
        moved = ((least + (level * room >> 32)) % room).to(cores.dtype)
        return moved + torch.where(inverted, most - cores, cores - least)


def check_tonable(images: Tensor, what: str = 'tone') -> None:
    """Check that tone, or noise, can be given to the pixels of a batch.

    Raises:
        InvalidTypeError: levels that are not uint8 or uint16.
        InvalidValueError: more than four channels.
    """
    if images.dtype not in LEVELS:
        raise InvalidTypeError(
            f'{what} needs whole levels, uint8 or uint16, got {images.dtype}: shuffle before images become floats, '
            'or round them: images.round().clamp(0, 255).to(torch.uint8)'
        )
    if images.shape[1] > tone.CHANNELS:
        raise InvalidValueError(
            f'{what} is defined for images of at most {tone.CHANNELS} channels, got {images.shape[1]}'
        )
