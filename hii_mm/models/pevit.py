"""PEViT: a vision transformer without positions.

Source: Hao et al., "Human-Imperceptible, Machine-Recognizable Images",
arXiv 2306.03679, section 3.3.
"""

from __future__ import annotations

from typing import Any

import torch
from mmcv.cnn.bricks.drop import DropPath
from mmengine.model.weight_init import trunc_normal_
from mmpretrain.models import VisionTransformer
from timm.layers import PatchDropout
from torch import Tensor, nn

from ..encryption.checks import share
from ..errors import InvalidValueError
from ..registry import MODELS, register


@register(MODELS)
class PEViT(VisionTransformer):
    """mmpretrain's VisionTransformer without position embedding.

    Shuffling the patches of the input changes no output beyond float rounding:
    class token and averaged features stay, the cells of a feature map move
    with their patches. The input may have any size that is a multiple of the
    patch size.

    Args:
        *args: as mmpretrain's VisionTransformer.
        reference_encoding: add the paper's reference-based encoding (RPE) to
            the patch embeddings x, with one learned vector r:
            ``x + sigmoid(W2 relu(W1 (x - r) + b1) + b2)``.
        patch_dropout: share of the patches, in [0, 1), that training leaves
            out, drawn anew for each image and step (Liu et al., "PatchDropout",
            arXiv 2208.07220). Saves time and memory; the class token stays.
        **kwargs: as mmpretrain's VisionTransformer. ``arch`` 'deit-tiny',
            'deit-small' and 'deit-base' are the paper's sizes ('small' is
            another network); ``interpolate_mode`` has no effect.

    Attributes:
        mix_grid: None: it reads mixed images as any others.
        mixes_inside: False.

    Raises:
        InvalidTypeError, InvalidValueError: ``patch_dropout`` outside [0, 1), or
            together with ``out_type='featmap'``, which needs every patch.
    """

    mix_grid = None
    mixes_inside = False

    def __init__(self, *args: Any, reference_encoding: bool = False, patch_dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.patch_dropout = PatchDropout(share('patch_dropout', patch_dropout), num_prefix_tokens=0)
        if patch_dropout and self.out_type == 'featmap':
            raise InvalidValueError(
                f"patch_dropout {patch_dropout} leaves holes in out_type 'featmap': use 0, or another out_type"
            )
        for layer in self.modules():
            if isinstance(layer, DropPath):
                layer.drop_prob = float(layer.drop_prob)  # torch.compile cannot branch on NumPy's
        del self.pos_embed
        self.pos_embed = None
        self.reference = None
        if reference_encoding:
            dims = self.embed_dims
            self.reference = nn.Parameter(torch.empty(1, 1, dims))
            self.ref_encoding = nn.Sequential(nn.Linear(dims, dims), nn.ReLU(inplace=True), nn.Linear(dims, dims))
            nn.init.normal_(self.reference, std=0.02)
        if self.frozen_stages > 0:
            self._freeze_reference()

    @property
    def input_patch_size(self) -> tuple[int, int]:
        """(h, w) in pixels of the patches of the images that it reads."""
        h, w = self.patch_embed.projection.kernel_size
        return h, w

    def init_weights(self) -> None:
        """Initialise as mmpretrain does; the class token and r from a normal of 0.02."""
        super().init_weights()
        if isinstance(self.init_cfg, dict) and self.init_cfg['type'] == 'Pretrained':
            return
        if self.cls_token is not None:
            trunc_normal_(self.cls_token, std=0.02)
        if self.reference is not None:
            nn.init.normal_(self.reference, std=0.02)

    def _prepare_pos_embed(self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: a checkpoint's ``pos_embed`` is reported as unexpected."""

    def _freeze_reference(self) -> None:
        if self.reference is not None:
            self.reference.requires_grad = False
            for param in self.ref_encoding.parameters():
                param.requires_grad = False

    def encode(self, x: Tensor) -> Tensor:
        """(B, N, D) patch embeddings -> (B, N, D), with RPE if it is on."""
        if self.reference is None:
            return x
        return x + self.ref_encoding(x - self.reference).sigmoid()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W) -> one output for each of ``out_indices``, in the form of ``out_type``."""
        x, hw = self.tokens(x)
        if self.cls_token is not None:
            x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1)  # (B, 1 + N, D)
        x = self.pre_norm(self.drop_after_pos(x))
        outs = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i == len(self.layers) - 1 and self.final_norm:
                x = self.ln1(x)
            if i in self.out_indices:
                outs.append(self._format_output(x, hw))
        return tuple(outs)

    def tokens(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, H, W) -> (B, N, D), in training (B, kept, D), and (rows, columns) of the patches."""
        x, hw = self.patch_embed(x)
        return self.encode(self.patch_dropout(x)), hw

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return the depth of a parameter and the number of layers, for layer-wise learning rates.

        The reference encoding belongs to the stem, depth 0.
        """
        if param_name.startswith((f'{prefix}reference', f'{prefix}ref_encoding')):
            return 0, self.num_layers + 2
        return super().get_layer_depth(param_name, prefix)
