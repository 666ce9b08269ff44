"""The vision transformer of YOLOS: patches and detection tokens in one sequence.

Source: Fang et al., "You Only Look at One Sequence", NeurIPS 2021,
arXiv 2106.00666. Parameter names are those of its released checkpoints.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..encryption.checks import pair
from ..registry import MODELS, register

SIZES = {  # width, layers, heads
    'tiny': (192, 12, 3),
    'small': (384, 12, 6),
    'base': (768, 12, 12),
}


class Attention(nn.Module):
    """Self-attention through PyTorch's scaled_dot_product_attention."""

    def __init__(self, dims, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x, mask=None):
        """(B, L, D), bool (B, 1, 1, L) or None: the keys to attend to -> (B, L, D)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, heads, L, D / heads)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.proj(x.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, dims, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dims, hidden)
        self.fc2 = nn.Linear(hidden, dims)

    def forward(self, x):
        """(..., D) -> (..., D)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, dims, heads, mlp_ratio):
        super().__init__()
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = Attention(dims, heads)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = Mlp(dims, int(dims * mlp_ratio))

    def forward(self, x, mask=None):
        """(B, L, D), bool (B, 1, 1, L) or None -> (B, L, D)."""
        x = x + self.attn(self.norm1(x), mask)
        return x + self.mlp(self.norm2(x))


def sine_cosine(down, across, rows, cols, dims):
    """(down * across, D): sines and cosines of the x and y of ``down`` x ``across`` even places on a grid of patches.

    Wavelengths grow from 2 pi to 200 pi patches, as in Vaswani et al., 2017, with a base of 100.
    """
    y = (torch.arange(down) + 0.5) * rows / down - 0.5
    x = (torch.arange(across) + 0.5) * cols / across - 0.5
    rates = 100.0 ** (-torch.arange(dims // 4) / (dims // 4))
    y, x = (places.flatten()[:, None] * rates for places in torch.meshgrid(y, x, indexing='ij'))
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=1)


class PlainPatchEmbed(nn.Module):
    """(B, C, H, W) -> (B, D, H / p, W / p) by one convolution of patch size and stride."""

    def __init__(self, dims, patch_size, in_channels=3):
        super().__init__()
        self.stride = patch_size
        self.proj = nn.Conv2d(in_channels, dims, patch_size, patch_size)

    def forward(self, x):
        """(B, C, H, W) -> (B, D, H / p, W / p)."""
        return self.proj(x)


class MixedPatchEmbed(nn.Module):
    """PEYOLOS's embedding of mixed images: Conv of p / g, GELU, Conv of 1.

    Source: Hao et al., arXiv 2306.03679; names as in its released checkpoints.

    Args:
        dims (int): Width D.
        patch_size (int): Side p of a plain patch, in pixels.
        in_channels (int): Channels of the image.
        grid (int): Sub-patches g along each side of a patch.
        mix_inside (bool): Take plain images and average the sub-patches here,
            instead of in the data pipeline: equal to ``PatchMixup`` outside
            but for the rounding to whole grey values. For ablation.
    """

    def __init__(self, dims, patch_size, in_channels=3, grid=2, mix_inside=False):
        super().__init__()
        if patch_size % grid:
            raise ValueError(f'patch_size {patch_size} is no multiple of grid {grid}')
        self.grid, self.mix_inside = grid, mix_inside
        side = patch_size // grid
        self.stride = patch_size if mix_inside else side
        self.proj_siat = nn.Conv2d(in_channels, dims, side, side)
        self.proj_siat_embed = nn.Conv2d(dims, dims, 1)

    def mix(self, x):
        """(B, C, H, W) -> (B, C, H / g, W / g): the mean of each patch's sub-patches."""
        g, side = self.grid, self.stride // self.grid
        x = x.unflatten(3, (-1, g, side)).unflatten(2, (-1, g, side))  # (B, C, rows, g, side, cols, g, side)
        return x.mean((3, 6)).flatten(4, 5).flatten(2, 3)

    def forward(self, x):
        """(B, C, H, W) -> (B, D, H / stride, W / stride)."""
        if self.mix_inside:
            x = self.mix(x)
        return self.proj_siat_embed(F.gelu(self.proj_siat(x)))


EMBEDS = {'PlainPatchEmbed': PlainPatchEmbed, 'MixedPatchEmbed': MixedPatchEmbed}


@register(MODELS)
class YOLOSBackbone(BaseModule):
    """ViT over [class token | patches | detection tokens].

    Args:
        arch (str | tuple[int, int, int]): 'tiny', 'small', 'base', or
            (width, layers, heads).
        img_size (tuple[int, int]): (h, w) in plain pixels that the position
            table was made for.
        patch_size (int): Side of a plain patch, in pixels.
        num_det_tokens (int): Detection tokens, the most objects in an image.
        mid_pos_embed (bool): A position table for each layer but the first.
        patch_embed (dict): ``type`` 'PlainPatchEmbed' or 'MixedPatchEmbed',
            and its arguments.
        mask_padding (bool): Tell the attention which patches are padding, and
            resize the position table to each image's own patches: an image
            gives the same outputs alone or in a padded batch. False is the
            released behaviour: padding is looked at, the table is resized to
            the batch.
        mlp_ratio (float): Hidden width of the MLPs, times the width.
        in_channels (int): Channels of the image.
        with_cp (bool): Gradient checkpointing: less memory, more time.
        from_scratch (bool): Start with weights that learn without
            pre-training: position tables of sines and cosines, detection
            tokens spread over the image, queries equal to keys, Xavier's and
            He's scale for the layers. False is the released start, all normal of 0.02, which
            expects a pre-trained checkpoint.
        init_cfg (dict, optional): As in mmengine.

    Raises:
        ValueError: an unknown arch or patch embedding.
    """

    def __init__(
        self,
        arch='small',
        img_size=(512, 864),
        patch_size=16,
        num_det_tokens=100,
        mid_pos_embed=False,
        patch_embed=None,
        mask_padding=True,
        mlp_ratio=4.0,
        in_channels=3,
        with_cp=False,
        from_scratch=False,
        init_cfg=None,
    ):
        super().__init__(init_cfg)
        if from_scratch and (arch[0] if isinstance(arch, tuple) else SIZES.get(arch, (4,))[0]) % 4:
            raise ValueError(f'from_scratch needs a width that is a multiple of 4, got {arch!r}')
        self.from_scratch = from_scratch
        if isinstance(arch, str) and arch not in SIZES:
            raise ValueError(f'arch must be one of {", ".join(SIZES)} or (width, layers, heads), got {arch!r}')
        dims, layers, heads = SIZES[arch] if isinstance(arch, str) else arch
        self.embed_dims, self.num_det_tokens = dims, num_det_tokens
        self.mask_padding, self.with_cp = mask_padding, with_cp
        embed = dict(patch_embed or {'type': 'PlainPatchEmbed'})
        kind = embed.pop('type')
        if kind not in EMBEDS:
            raise ValueError(f'patch_embed type must be one of {", ".join(EMBEDS)}, got {kind!r}')
        self.patch_embed = EMBEDS[kind](dims, patch_size, in_channels, **embed)
        h, w = pair('img_size', img_size, patch_size)
        self.table_grid = h // patch_size, w // patch_size
        length = 1 + self.table_grid[0] * self.table_grid[1] + num_det_tokens
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.det_token = nn.Parameter(torch.zeros(1, num_det_tokens, dims))
        self.pos_embed = nn.Parameter(torch.zeros(1, length, dims))
        self.mid_pos_embed = nn.Parameter(torch.zeros(layers - 1, 1, length, dims)) if mid_pos_embed else None
        self.blocks = nn.ModuleList(Block(dims, heads, mlp_ratio) for _ in range(layers))
        self.norm = nn.LayerNorm(dims, eps=1e-6)

    def init_weights(self):
        """Normal of 0.02 for weights, tokens and tables, zero for biases, unless loaded."""
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
    def _init_from_scratch(self):
        for block in self.blocks:
            for layer in (block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2):
                nn.init.xavier_uniform_(layer.weight)
            # equal queries and keys: places that are alike attend to each other (Trockman and Kolter, arXiv 2305.09828)
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

    def _positions(self, table, grids, size):
        """A table laid out over a batch.

        Args:
            table: (1, L, D) of ``table_grid``.
            grids: (rows, columns) of patches of each image, or of the batch alone.
            size: (rows, columns) of the padded batch.

        Returns:
            Tensor: (B or 1, 1 + rows * columns + T, D).
        """
        dims, tokens = table.shape[-1], self.num_det_tokens
        cls, patches, det = table.split([1, table.shape[1] - 1 - tokens, tokens], dim=1)
        image = patches.transpose(1, 2).unflatten(2, self.table_grid)  # (1, D, rows, columns)
        resized = {}
        for grid in set(grids):
            fitted = image
            if grid != self.table_grid:
                fitted = F.interpolate(image.float(), size=grid, mode='bicubic', align_corners=False).to(table.dtype)
            fitted = F.pad(fitted, (0, size[1] - grid[1], 0, size[0] - grid[0]))
            resized[grid] = torch.cat([cls, fitted.reshape(1, dims, -1).transpose(1, 2), det], dim=1)
        return torch.cat([resized[grid] for grid in grids])

    def _mask(self, grids, size, device):
        """Bool (B, 1, 1, 1 + N + T), True at what is no padding; None where nothing is."""
        if set(grids) <= {size}:
            return None
        rows, cols = torch.arange(size[0], device=device), torch.arange(size[1], device=device)
        inside = [((rows < h)[:, None] & (cols < w)).flatten() for h, w in grids]
        return F.pad(torch.stack(inside), (1, self.num_det_tokens), value=True)[:, None, None]

    def forward(self, x, img_shapes=None, with_patches=False):
        """(B, C, H, W), (h, w) of each image without padding -> (B, T, D).

        Args:
            x (Tensor): Images, padded at the bottom and right to whole patches.
            img_shapes (list[tuple[int, int]], optional): (h, w) in pixels of
                ``x``; None where nothing is padded.
            with_patches (bool): Give the patches too, (B, N, D).

        Returns:
            Tensor: The detection tokens, after the last norm; or
            (tokens, patches), both after it.
        """
        x = self.patch_embed(x)
        size, stride = tuple(x.shape[-2:]), self.patch_embed.stride
        grids, mask = [size], None
        if self.mask_padding and img_shapes is not None:
            grids = [(min(-(-h // stride), size[0]), min(-(-w // stride), size[1])) for h, w in img_shapes]
            mask = self._mask(grids, size, x.device)
        x = x.flatten(2).transpose(1, 2)  # (B, N, D)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x, self.det_token.expand(len(x), -1, -1)], dim=1)
        x = x + self._positions(self.pos_embed, grids, size)
        for i, block in enumerate(self.blocks):
            if self.with_cp and x.requires_grad:
                x = checkpoint(block, x, mask, use_reentrant=False)
            else:
                x = block(x, mask)
            if self.mid_pos_embed is not None and i < len(self.mid_pos_embed):
                x = x + self._positions(self.mid_pos_embed[i], grids, size)
        tokens = self.norm(x[:, -self.num_det_tokens :])
        return (tokens, self.norm(x[:, 1 : -self.num_det_tokens])) if with_patches else tokens
