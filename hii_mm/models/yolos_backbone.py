"""The vision transformer of YOLOS: patches and detection tokens in one sequence.

Source: Fang et al., "You Only Look at One Sequence", NeurIPS 2021,
arXiv 2106.00666. Parameter names are those of its released checkpoints. The
layers are timm's (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..encryption.checks import one_of, pair, share
from ..errors import InvalidValueError
from ..registry import MODELS, register
from .positions import sine_cosine

SIZES = {  # width, layers, heads
    'tiny': (192, 12, 3),
    'small': (384, 12, 6),
    'base': (768, 12, 12),
}


def taken(x: Tensor, index: Tensor) -> Tensor:
    """(B, L, D), int64 (B, K) -> (B, K, D): the tokens of each image at ``index``."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


class PlainPatchEmbed(nn.Module):
    """Embed patches by one convolution.

    Args:
        dims: width D.
        patch_size: side p of a patch, in pixels.
        in_channels: channels of the image.

    Attributes:
        stride: side of the patches that it reads, in pixels.
        mix_grid: None, it reads images that are not mixed.
        mixes_inside: False.
    """

    mix_grid = None
    mixes_inside = False

    def __init__(self, dims: int, patch_size: int, in_channels: int = 3) -> None:
        super().__init__()
        self.stride = patch_size
        self.proj = nn.Conv2d(in_channels, dims, patch_size, patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H / p, W / p)."""
        return self.proj(x)


class MixedPatchEmbed(nn.Module):
    """PEYOLOS's embedding of mixed images: Conv of p / g, GELU, Conv of 1.

    Source: Hao et al., arXiv 2306.03679; names as in its released checkpoints.

    Args:
        dims: width D.
        patch_size: side p of a plain patch, in pixels.
        in_channels: channels of the image.
        grid: sub-patches g along each side of a patch.
        mix_inside: take plain images and average the sub-patches here instead
            of in the data pipeline. Equals ``PatchMixup`` but for its rounding
            to whole grey values. For ablation.

    Attributes:
        stride: side of the patches that it reads, in pixels.
        mix_grid: ``grid``, or None with ``mix_inside``.
        mixes_inside: ``mix_inside``.

    Raises:
        InvalidValueError: a patch size that is not a multiple of ``grid``.
    """

    def __init__(
        self, dims: int, patch_size: int, in_channels: int = 3, grid: int = 2, mix_inside: bool = False
    ) -> None:
        super().__init__()
        if patch_size % grid:
            raise InvalidValueError(f'patch_size {patch_size} is not a multiple of grid {grid}')
        self.grid, self.mixes_inside = grid, mix_inside
        self.mix_grid = None if mix_inside else grid
        side = patch_size // grid
        self.stride = patch_size if mix_inside else side
        self.proj_siat = nn.Conv2d(in_channels, dims, side, side)
        self.proj_siat_embed = nn.Conv2d(dims, dims, 1)

    def mix(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H / g, W / g): the mean of each patch's sub-patches."""
        g, side = self.grid, self.stride // self.grid
        x = x.unflatten(3, (-1, g, side)).unflatten(2, (-1, g, side))  # (B, C, rows, g, side, cols, g, side)
        return x.mean((3, 6)).flatten(4, 5).flatten(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H / stride, W / stride)."""
        if self.mixes_inside:
            x = self.mix(x)
        embedded: Tensor = self.proj_siat_embed(F.gelu(self.proj_siat(x)))
        return embedded


EMBEDS = {'PlainPatchEmbed': PlainPatchEmbed, 'MixedPatchEmbed': MixedPatchEmbed}


@register(MODELS)
class YOLOSBackbone(BaseModule):
    """ViT over [class token | patches | detection tokens].

    Args:
        arch: 'tiny', 'small', 'base', or (width, layers, heads).
        img_size: (h, w) in plain pixels that the position table is made for.
        patch_size: side of a plain patch, in pixels.
        num_det_tokens: detection tokens: the most objects in an image.
        mid_pos_embed: add a position table after each layer but the last.
        patch_embed: ``type`` 'PlainPatchEmbed' or 'MixedPatchEmbed', and its
            arguments.
        mask_padding: keep the attention from padding, and resize the position
            table to each image's own patches: an image gives the same outputs
            alone or in a padded batch. False is the released behaviour:
            attention includes padding, and the table is resized to the batch.
        mlp_ratio: hidden width of the MLPs, as a multiple of the width.
        in_channels: channels of the image.
        with_cp: gradient checkpointing: less memory, more time.
        from_scratch: start with weights that learn without pre-training:
            position tables of sines and cosines, detection tokens spread over
            the image, queries equal to keys, Xavier's and He's scale for the
            layers. False is the released start, all normal of 0.02, which
            expects a pre-trained checkpoint.
        patch_dropout: share of the patches, in [0, 1), that training leaves
            out after the position embedding, drawn anew for each image and
            step (Liu et al., "PatchDropout", arXiv 2208.07220).
        init_cfg: as in mmengine.

    Raises:
        InvalidTypeError, InvalidValueError: an unknown arch or patch
            embedding, or sizes that are not accepted.
    """

    def __init__(
        self,
        arch: str | tuple[int, int, int] = 'small',
        img_size: int | tuple[int, int] = (512, 864),
        patch_size: int = 16,
        num_det_tokens: int = 100,
        mid_pos_embed: bool = False,
        patch_embed: dict[str, Any] | None = None,
        mask_padding: bool = True,
        mlp_ratio: float = 4.0,
        in_channels: int = 3,
        with_cp: bool = False,
        from_scratch: bool = False,
        patch_dropout: float = 0.0,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        if isinstance(arch, str) and arch not in SIZES:
            raise InvalidValueError(f'arch must be one of {", ".join(SIZES)} or (width, layers, heads), got {arch!r}')
        dims, layers, heads = SIZES[arch] if isinstance(arch, str) else arch
        if from_scratch and dims % 4:
            raise InvalidValueError(f'from_scratch needs a width that is a multiple of 4, got {arch!r}')
        self.from_scratch, self.patch_dropout = from_scratch, share('patch_dropout', patch_dropout)
        self.embed_dims, self.num_det_tokens = dims, num_det_tokens
        self.mask_padding, self.with_cp = mask_padding, with_cp
        embed = dict(patch_embed or {'type': 'PlainPatchEmbed'})
        kind = one_of('patch_embed type', embed.pop('type'), tuple(EMBEDS))
        self.patch_embed = EMBEDS[kind](dims, patch_size, in_channels, **embed)
        h, w = pair('img_size', img_size, patch_size)
        self.table_grid = h // patch_size, w // patch_size
        length = 1 + self.table_grid[0] * self.table_grid[1] + num_det_tokens
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.det_token = nn.Parameter(torch.zeros(1, num_det_tokens, dims))
        self.pos_embed = nn.Parameter(torch.zeros(1, length, dims))
        self.mid_pos_embed = nn.Parameter(torch.zeros(layers - 1, 1, length, dims)) if mid_pos_embed else None
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(dims, heads, mlp_ratio, qkv_bias=True, norm_layer=norm) for _ in range(layers)
        )
        self.norm = norm(dims)

    @property
    def input_patch_size(self) -> tuple[int, int]:
        """(h, w) in pixels of the patches of the images that it reads."""
        return self.patch_embed.stride, self.patch_embed.stride

    @property
    def mix_grid(self) -> int | None:
        """Grid of the mixed images that it reads, or None."""
        return self.patch_embed.mix_grid

    @property
    def mixes_inside(self) -> bool:
        """True if it mixes plain images itself."""
        return self.patch_embed.mixes_inside

    def init_weights(self) -> None:
        """Set weights, tokens and tables to a normal of 0.02 and biases to zero, unless a checkpoint is loaded."""
        super().init_weights()
        if isinstance(self.init_cfg, dict) and self.init_cfg['type'] == 'Pretrained':
            return
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for table in (self.cls_token, self.det_token, self.pos_embed, self.mid_pos_embed):
            if table is not None:
                nn.init.trunc_normal_(table, std=0.02)
        if self.from_scratch:
            self._init_from_scratch()

    @torch.no_grad()
    def _init_from_scratch(self) -> None:
        """Overwrite what :meth:`init_weights` did, see ``from_scratch``."""
        for block in self.blocks:
            for layer in (block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2):
                nn.init.xavier_uniform_(layer.weight)
            # equal queries and keys: similar positions attend to each other (Trockman and Kolter, arXiv 2305.09828)
            query, key, _ = block.attn.qkv.weight.chunk(3)
            key.copy_(query.mul_(1.4))
        for layer in self.patch_embed.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
        rows, cols = self.table_grid
        patches = 0.5 * sine_cosine(rows, cols, rows, cols, self.embed_dims)
        down = max(
            n
            for n in range(1, self.num_det_tokens + 1)
            if self.num_det_tokens % n == 0 and n * n <= self.num_det_tokens
        )
        tokens = sine_cosine(down, self.num_det_tokens // down, rows, cols, self.embed_dims)
        self.pos_embed[0, 1:] = torch.cat([patches, tokens])

    def _positions(self, table: Tensor, grids: Sequence[tuple[int, int]], size: tuple[int, int]) -> Tensor:
        """Lay a table out over a batch.

        Args:
            table: (1, L, D) of ``table_grid``.
            grids: (rows, columns) of patches of each image, or one pair for
                the whole batch.
            size: (rows, columns) of the padded batch.

        Returns:
            (B or 1, 1 + rows * columns + T, D).
        """
        dims, tokens = table.shape[-1], self.num_det_tokens
        cls, patches, det = table.split([1, table.shape[1] - 1 - tokens, tokens], dim=1)
        image = patches.transpose(1, 2).unflatten(2, self.table_grid)  # (1, D, rows, columns)
        resized = {}
        for grid in set(grids):
            fitted = image
            if torch.jit.is_tracing() or grid != self.table_grid:  # a traced size may be any
                fitted = F.interpolate(image.float(), size=grid, mode='bicubic', align_corners=False).to(table.dtype)
            if grid is not size:
                fitted = F.pad(fitted, (0, size[1] - grid[1], 0, size[0] - grid[0]))
            resized[grid] = torch.cat([cls, fitted.reshape(1, dims, -1).transpose(1, 2), det], dim=1)
        return torch.cat([resized[grid] for grid in grids])

    def _mask(self, grids: Sequence[tuple[int, int]], size: tuple[int, int], device: torch.device) -> Tensor | None:
        """Return bool (B, 1, 1, 1 + N + T), False at padding; None without padding."""
        if set(grids) <= {size}:
            return None
        rows, cols = torch.arange(size[0], device=device), torch.arange(size[1], device=device)
        inside = [((rows < h)[:, None] & (cols < w)).flatten() for h, w in grids]
        return F.pad(torch.stack(inside), (1, self.num_det_tokens), value=True)[:, None, None]

    def _kept(self, batch: int, count: int, device: torch.device) -> Tensor | None:
        """Draw which tokens each image keeps in training: int64 (B, 1 + kept + T), or None for all."""
        if not (self.training and self.patch_dropout):
            return None
        kept = max(1, int(count * (1 - self.patch_dropout)))
        patches = 1 + torch.rand(batch, count, device=device).argsort(dim=1)[:, :kept]
        det = torch.arange(count + 1, count + 1 + self.num_det_tokens, device=device)
        return torch.cat([torch.zeros_like(patches[:, :1]), patches, det.expand(batch, -1)], dim=1)

    def forward(
        self, x: Tensor, img_shapes: Sequence[tuple[int, int]] | None = None, with_patches: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """(B, C, H, W) -> (B, T, D).

        Args:
            x: images, padded at the bottom and right to whole patches.
            img_shapes: (h, w) in pixels of each image in ``x`` without its
                padding; None where nothing is padded.
            with_patches: return the patches too, (B, N, D).

        Returns:
            The detection tokens after the last norm, or (tokens, patches),
            both after it.

        Raises:
            InvalidValueError: ``with_patches`` in training with ``patch_dropout``.
        """
        x = self.patch_embed(x)
        size, stride = tuple(x.shape[-2:]), self.patch_embed.stride
        grids, mask = [size], None
        if self.mask_padding and img_shapes is not None:
            grids = [(min(-(-h // stride), size[0]), min(-(-w // stride), size[1])) for h, w in img_shapes]
            mask = self._mask(grids, size, x.device)
        x = x.flatten(2).transpose(1, 2)  # (B, N, D)
        batch = x.shape[0]  # not len(x), which tracing would keep
        x = torch.cat([self.cls_token.expand(batch, -1, -1), x, self.det_token.expand(batch, -1, -1)], dim=1)
        x = x + self._positions(self.pos_embed, grids, size)
        kept = self._kept(batch, size[0] * size[1], x.device)
        if kept is not None:
            if with_patches:
                raise InvalidValueError(
                    f'patch_dropout {self.patch_dropout} leaves out patches whose losses patch_loss_weight asks for: '
                    'set one of the two to 0'
                )
            x = taken(x, kept)
            mask = None if mask is None else mask.expand(batch, -1, -1, -1).gather(3, kept[:, None, None])
        for i, block in enumerate(self.blocks):
            if self.with_cp and x.requires_grad:
                x = checkpoint(block, x, mask, use_reentrant=False)
            else:
                x = block(x, mask)
            if self.mid_pos_embed is not None and i < len(self.mid_pos_embed):
                table = self._positions(self.mid_pos_embed[i], grids, size)
                x = x + (table if kept is None else taken(table.expand(batch, -1, -1), kept))
        tokens = self.norm(x[:, -self.num_det_tokens :])
        return (tokens, self.norm(x[:, 1 : -self.num_det_tokens])) if with_patches else tokens
