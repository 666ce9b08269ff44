"""A vision transformer, with or without positions, whose stem is a small convolutional network within each patch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InvalidValueError
from ..registry import MODELS, register
from .pevit import PEViT
from .positions import sine_cosine


@register(MODELS)
class PatchConvViT(PEViT):
    """PEViT, or a ViT, that embeds each patch by two convolutions of 3 x 3 and a linear layer.

    For short trainings from scratch: filters that a patch shares learn from
    fewer pictures than one filter for all of its pixels. Each patch is padded by
    itself, so nothing reaches beyond it, and without positions the order of
    patches changes nothing, as in :class:`.pevit.PEViT`. With ``patch_dropout``
    the patches that training leaves out are not embedded either, and those that
    stay keep their positions.

    Args:
        *args: as :class:`.pevit.PEViT`, with a square patch.
        positions: add a learned position embedding, which begins as sines and cosines (``embed_dims`` is a
            multiple of 4 then). False is PEViT.
        stem_dims: channels of the two convolutions, each of stride 2.
        **kwargs: as :class:`.pevit.PEViT`.

    Raises:
        InvalidTypeError, InvalidValueError: as :class:`.pevit.PEViT`; ``embed_dims`` that positions cannot have.
    """

    def __init__(
        self, *args: Any, positions: bool = False, stem_dims: tuple[int, int] = (16, 32), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        embed = self.patch_embed.projection
        self._patch_size: tuple[int, int] = embed.kernel_size
        h, w = (-(-side // 4) for side in self._patch_size)
        first, second = stem_dims
        del self.patch_embed
        self.stem = nn.Sequential(
            nn.Conv2d(embed.in_channels, first, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(first, second, 3, 2, 1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(second * h * w, self.embed_dims),
        )
        if positions:
            if self.embed_dims % 4:
                raise InvalidValueError(f'positions need embed_dims that are a multiple of 4, got {self.embed_dims}')
            rows, cols = self.patch_resolution
            self.pos_embed = nn.Parameter(torch.zeros(1, rows * cols, self.embed_dims))

    @property
    def input_patch_size(self) -> tuple[int, int]:
        """(h, w) in pixels of the patches of the images that it reads."""
        return self._patch_size

    def init_weights(self) -> None:
        """Initialise so that it learns in few steps.

        As PEViT, but positions begin as sines and cosines, and queries equal keys: similar patches attend to each
        other (Trockman and Kolter, arXiv 2305.09828).
        """
        super().init_weights()
        if isinstance(self.init_cfg, dict) and self.init_cfg['type'] == 'Pretrained':
            return
        with torch.no_grad():
            for layer in self.layers:
                query, key, _ = layer.attn.qkv.weight.chunk(3)
                key.copy_(query)
            if self.pos_embed is not None:
                rows, cols = self.patch_resolution
                self.pos_embed[0] = sine_cosine(rows, cols, rows, cols, self.embed_dims)

    def tokens(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, H, W) -> (B, N, D), in training (B, kept, D), and (rows, columns) of the patches."""
        x, hw = self._patches(x)  # (B, N, C, h, w)
        places = self._places(len(x), hw)  # (B, N, D) or None
        x, places = self._kept(x, places)
        x = self.stem(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # (B, kept, D)
        return self.encode(x if places is None else x + places), hw

    def _patches(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, H, W) -> (B, N, C, h, w) in row-major order, and (rows, columns); what is left over is cut off."""
        h, w = self._patch_size
        rows, cols = x.shape[2] // h, x.shape[3] // w
        x = x[:, :, : rows * h, : cols * w].reshape(*x.shape[:2], rows, h, cols, w)
        return x.permute(0, 2, 4, 1, 3, 5).flatten(1, 2), (rows, cols)

    def _places(self, count: int, hw: tuple[int, int]) -> Tensor | None:
        """Return the positions (B, N, D) of a grid, resized where it is not that of ``img_size``."""
        if self.pos_embed is None:
            return None
        found = self.resize_pos_embed(self.pos_embed, self.patch_resolution, hw, self.interpolate_mode, 0)
        return found.expand(count, -1, -1)

    def _kept(self, x: Tensor, places: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """In training, leave out patches, and their positions: others for each image."""
        share = self.patch_dropout.prob if self.training else 0.0
        if not share:
            return x, places
        count = max(1, int(x.shape[1] * (1 - share)))
        chosen = torch.rand(x.shape[:2], device=x.device).argsort(dim=1)[:, :count]
        rows = torch.arange(len(x), device=x.device)[:, None]
        return x[rows, chosen], None if places is None else places[rows, chosen]
