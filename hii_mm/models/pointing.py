"""YOLOS for shuffled pictures: detection tokens point at patches, whose places the head alone knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from ..registry import MODELS, register
from .fragments import inside_picture, patch_origins
from .yolos import YOLOS, YOLOSHead
from .yolos_backbone import YOLOSBackbone


@register(MODELS)
class PointingYOLOSBackbone(YOLOSBackbone):
    """YOLOS's backbone without positions of the patches; arguments as :class:`.yolos_backbone.YOLOSBackbone`.

    Class token and detection tokens keep theirs, which tell the tokens apart.
    """

    def _positions(self, table: Tensor, grids: Sequence[tuple[int, int]], size: tuple[int, int]) -> Tensor:
        """Return a table (1, 1 + rows * columns + T, D) with zeros for the patches."""
        tokens = self.num_det_tokens
        patches = table.new_zeros(1, size[0] * size[1], table.shape[-1])
        return torch.cat([table[:, :1], patches, table[:, -tokens:]], dim=1)


@register(MODELS)
class PointingYOLOSHead(YOLOSHead):
    """YOLOS's head for hidden states that end in the place (x, y) at which a token points.

    Classes come from the token alone. A box has its centre at the place plus an
    offset of at most one patch and a half.

    Args:
        *args: as :class:`.yolos.YOLOSHead`.
        reach: the largest offset, as a share of the picture.
        **kwargs: as :class:`.yolos.YOLOSHead`.
    """

    def __init__(self, *args: Any, reach: float = 0.2, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reach = reach

    def forward(self, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        """(layers, B, T, D + 2) -> logits (layers, B, T, classes + 1), cxcywh boxes (layers, B, T, 4), as shares."""
        tokens, places = hidden_states.split([self.embed_dims, 2], dim=-1)
        logits, boxes = self.class_embed(tokens).float(), self.bbox_embed(tokens).float()
        centres = places + self.reach * boxes[..., :2].tanh()
        return logits, torch.cat([centres, boxes[..., 2:].sigmoid()], dim=-1)


@register(MODELS)
class PointingYOLOS(YOLOS):
    """YOLOS whose detection tokens point at one patch each by attention.

    Where a patch lies enters behind the attention alone: the order of patches
    changes where boxes are, and no class score. Train on
    ``PatchShuffle(bbox_mode='fragment')`` with more detection tokens than
    fragments. Arguments as :class:`.yolos.YOLOS`, with a
    :class:`PointingYOLOSBackbone` and a :class:`PointingYOLOSHead`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.query = nn.Linear(self.backbone.embed_dims, self.backbone.embed_dims)
        self.key = nn.Linear(self.backbone.embed_dims, self.backbone.embed_dims)

    def extract_feat(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample] | None = None, **kwargs: Any
    ) -> Tensor:
        """(B, C, H, W) -> (B, T, D + 2), the detection tokens and where they point, as shares of the picture."""
        tokens, patches = super().extract_feat(batch_inputs, batch_data_samples, with_patches=True)
        stride = self.backbone.patch_embed.stride
        grid = batch_inputs.shape[-2] // stride, batch_inputs.shape[-1] // stride
        heat = self.query(tokens) @ self.key(patches).transpose(1, 2) / tokens.shape[-1] ** 0.5  # (B, T, N)
        places = (patch_origins(grid, heat.device) + 0.5) / heat.new_tensor([grid[1], grid[0]])  # (N, 2)
        places = places.expand(len(heat), -1, -1)
        if batch_data_samples and all('img_shape' in sample for sample in batch_data_samples):
            inside = [inside_picture(sample, grid, stride, heat.device) for sample in batch_data_samples]
            heat = heat.masked_fill(~torch.stack(inside)[:, None], -torch.inf)
            h_w = heat.new_tensor([sample.img_shape[:2] for sample in batch_data_samples])
            places = places * heat.new_tensor(batch_inputs.shape[-2:]).flip(0) / h_w.flip(1)[:, None]
        return torch.cat([tokens, heat.softmax(-1) @ places], dim=-1)
