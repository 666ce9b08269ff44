"""PEViT with a stem of convolutions that stay within the patch."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..encryption.checks import whole
from ..errors import InvalidValueError
from ..registry import MODELS, register
from .pevit import PEViT


@register(MODELS)
class StemPEViT(PEViT):
    """PEViT that embeds a patch by two convolutions, of strides ``stem_stride`` and ``patch_size / stem_stride``.

    Neither reaches beyond a patch, so that the order of patches changes nothing,
    as in :class:`.pevit.PEViT`. Weights that are shared within the patch learn
    from fewer pictures; with the default widths it takes no more multiplications.

    Args:
        *args: as :class:`.pevit.PEViT`, with a square patch.
        stem_stride: side of the first convolution, in pixels; a divisor of the patch size.
        stem_dims: its channels.
        **kwargs: as :class:`.pevit.PEViT`.

    Raises:
        InvalidValueError: a patch that is no multiple of ``stem_stride``.
    """

    def __init__(self, *args: Any, stem_stride: int = 4, stem_dims: int = 32, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        h, w = self.patch_embed.projection.kernel_size
        stride = whole('stem_stride', stem_stride, 1)
        if h % stride or w % stride:
            raise InvalidValueError(f'patch_size {h} x {w} is not a multiple of stem_stride {stem_stride}')
        self._patch_size, rest = (h, w), (h // stride, w // stride)
        self.patch_embed.projection = nn.Sequential(
            nn.Conv2d(self.patch_embed.projection.in_channels, stem_dims, stride, stride),
            nn.GELU(),
            nn.Conv2d(stem_dims, self.embed_dims, rest, rest),
        )

    @property
    def input_patch_size(self) -> tuple[int, int]:
        """(h, w) in pixels of the patches of the images that it reads."""
        return self._patch_size
