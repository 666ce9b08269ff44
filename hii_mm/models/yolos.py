"""YOLOS and PEYOLOS as mmdet detectors.

Sources: Fang et al., "You Only Look at One Sequence", arXiv 2106.00666; Hao et
al., "Human-Imperceptible, Machine-Recognizable Images", arXiv 2306.03679.
Matching and losses are mmdet's DETRHead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models import BaseDetector
from mmdet.models.dense_heads import DETRHead
from mmdet.models.layers import MLP
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_xyxy_to_cxcywh, get_box_tensor
from mmdet.utils import reduce_mean
from mmengine.registry import MODELS as BUILD
from torch import Tensor

from ..registry import MODELS, register


@register(MODELS)
class YOLOSHead(DETRHead):
    """mmdet's DETRHead with YOLOS's two 3-layer MLPs.

    Args:
        num_classes: classes, without 'no object'.
        embed_dims: width of the backbone.
        bg_cls_weight: weight of 'no object' in the classification loss.
        sync_cls_avg_factor: average the classification loss over the objects
            of all processes, as the box losses are, instead of over those of
            each process: the number of processes then changes no gradient.
        **kwargs: as DETRHead.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dims: int = 384,
        bg_cls_weight: float = 0.1,
        sync_cls_avg_factor: bool = True,
        **kwargs: Any,
    ) -> None:
        # DETRHead weighs 'no object' only if it is not subclassed
        weights = [1.0] * num_classes + [bg_cls_weight]
        kwargs.setdefault('loss_cls', dict(type='CrossEntropyLoss', use_sigmoid=False, class_weight=weights))
        super().__init__(num_classes, embed_dims, sync_cls_avg_factor=sync_cls_avg_factor, **kwargs)
        self.bg_cls_weight = bg_cls_weight

    def _init_layers(self) -> None:
        """Build the two MLPs of three layers."""
        self.class_embed = MLP(self.embed_dims, self.embed_dims, self.cls_out_channels, 3)
        self.bbox_embed = MLP(self.embed_dims, self.embed_dims, 4, 3)

    def forward(self, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        """(layers, B, T, D) -> logits (layers, B, T, classes + 1) and sigmoid cxcywh boxes (layers, B, T, 4).

        Both are float32, also under mixed precision: matching and losses need it.
        """
        return self.class_embed(hidden_states).float(), self.bbox_embed(hidden_states).float().sigmoid()

    def patch_loss(
        self, patches: Tensor, grid: tuple[int, int], stride: int, batch_data_samples: Sequence[DetDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of predicting, from each patch, the object that it lies in.

        Args:
            patches: (B, rows * cols, D), the backbone's.
            grid: (rows, cols) of patches in the batch.
            stride: side of a patch in pixels.
            batch_data_samples: with ``gt_instances``.

        Returns:
            'patch.loss_cls', 'patch.loss_bbox' and 'patch.loss_iou'.
        """
        targets = [patch_targets(sample, grid, stride, self.num_classes) for sample in batch_data_samples]
        labels, boxes, weights = (torch.cat(parts) for parts in zip(*targets, strict=True))
        logits, predicted = (part.flatten(0, 1) for part in self(patches))
        found = labels < self.num_classes
        total = (weights * torch.where(found, 1.0, self.bg_cls_weight)).sum()
        objects = reduce_mean(found.sum().to(logits)).clamp(min=1)
        predicted, boxes = predicted[found], boxes[found]
        corners = bbox_cxcywh_to_xyxy(predicted), bbox_cxcywh_to_xyxy(boxes)
        return {
            'patch.loss_cls': self.loss_cls(logits, labels, weights, avg_factor=reduce_mean(total).clamp(min=1)),
            'patch.loss_bbox': self.loss_bbox(predicted, boxes, avg_factor=objects),
            'patch.loss_iou': self.loss_iou(*corners, avg_factor=objects),
        }


def patch_targets(
    sample: DetDataSample, grid: tuple[int, int], stride: int, background: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the target of each patch of an image: the smallest box that contains its centre.

    Args:
        sample: with ``gt_instances`` in pixels.
        grid: (rows, cols) of patches in the padded batch.
        stride: side of a patch in pixels.
        background: label of patches outside all boxes.

    Returns:
        Labels int64 (N,); boxes (N, 4) cxcywh as shares of the image, arbitrary
        for background; weights (N,), 0 for padding.
    """
    truth = sample.gt_instances
    boxes = get_box_tensor(truth.bboxes)
    h, w = sample.img_shape[:2]
    places = (torch.arange(n, device=boxes.device) * stride + stride / 2 for n in grid)
    y, x = (axis.flatten() for axis in torch.meshgrid(*places, indexing='ij'))
    weights = ((y < h) & (x < w)).to(boxes)
    labels = torch.full((len(x),), background, device=boxes.device)
    if not len(boxes):
        return labels, boxes.new_zeros(len(x), 4), weights
    inside = (x[:, None] > boxes[:, 0]) & (y[:, None] > boxes[:, 1])
    inside &= (x[:, None] < boxes[:, 2]) & (y[:, None] < boxes[:, 3])
    area = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).expand(len(x), -1)
    smallest, which = area.masked_fill(~inside, torch.inf).min(dim=1)
    found = smallest.isfinite()
    labels[found] = truth.labels[which[found]]
    return labels, bbox_xyxy_to_cxcywh(boxes / boxes.new_tensor([w, h, w, h]))[which], weights


@register(MODELS)
class YOLOS(BaseDetector):
    """YOLOS: a plain vision transformer that detects.

    Args:
        backbone: config of a :class:`YOLOSBackbone`.
        bbox_head: config of a :class:`YOLOSHead`.
        train_cfg: of the head: the assigner. None is DETR's.
        test_cfg: of the head: ``max_per_img``. Without it each detection token
            gives one box.
        data_preprocessor: as in mmdet; ``pad_size_divisor`` must be the side
            of a patch.
        patch_loss_weight: in training, let the same heads also predict from
            each patch the object that it lies in, and add that loss with this
            weight. This learns in minutes what matching alone learns in days
            of pre-training, and adds no parameters. 0 is the released
            behaviour, without this loss.
        init_cfg: as in mmengine.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        bbox_head: dict[str, Any],
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        patch_loss_weight: float = 0.0,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.patch_loss_weight = patch_loss_weight
        self.backbone = BUILD.build(backbone)
        head = dict(bbox_head, embed_dims=self.backbone.embed_dims, test_cfg=test_cfg or {})
        self.bbox_head = BUILD.build(dict(head, train_cfg=train_cfg) if train_cfg else head)

    def extract_feat(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample] | None = None, **kwargs: Any
    ) -> Any:
        """(B, C, H, W) -> (B, T, D), the detection tokens. ``kwargs`` are passed to the backbone."""
        shapes = None
        if batch_data_samples and all('img_shape' in sample for sample in batch_data_samples):
            shapes = [sample.img_shape[:2] for sample in batch_data_samples]
        return self.backbone(batch_inputs, shapes, **kwargs)

    def loss(self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """(B, C, H, W) -> DETRHead's losses, and those of the patches."""
        if not self.patch_loss_weight:
            return self.bbox_head.loss(self.extract_feat(batch_inputs, batch_data_samples)[None], batch_data_samples)
        tokens, patches = self.extract_feat(batch_inputs, batch_data_samples, with_patches=True)
        losses = self.bbox_head.loss(tokens[None], batch_data_samples)
        stride = self.backbone.patch_embed.stride
        grid = tuple(side // stride for side in batch_inputs.shape[-2:])
        of_patches = self.bbox_head.patch_loss(patches, grid, stride, batch_data_samples)
        return {**losses, **{name: value * self.patch_loss_weight for name, value in of_patches.items()}}

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample], rescale: bool = True
    ) -> Sequence[DetDataSample]:
        """Add ``pred_instances`` to the data samples: bboxes (n, 4) xyxy in pixels, scores, labels."""
        tokens = self.extract_feat(batch_inputs, batch_data_samples)
        # pipelines without a Resize leave nothing to undo
        rescale = rescale and all('scale_factor' in sample for sample in batch_data_samples)
        results = self.bbox_head.predict(tokens[None], batch_data_samples, rescale=rescale)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> logits (1, B, T, classes + 1) and sigmoid cxcywh boxes (1, B, T, 4)."""
        return self.bbox_head(self.extract_feat(batch_inputs, batch_data_samples)[None])


@register(MODELS)
class PEYOLOS(YOLOS):
    """YOLOS for mixed images: the backbone embeds patches with ``MixedPatchEmbed``.

    Put ``PatchMixup`` with the same ``patch_size`` and ``grid`` last in the
    pipelines, or set ``mix_inside=True`` and leave it out. Arguments as
    :class:`YOLOS`, with a ``pad_size_divisor`` of ``patch_size / grid``.
    """

    def __init__(self, backbone: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        embed = dict({'type': 'MixedPatchEmbed'}, **(backbone.get('patch_embed') or {}))
        super().__init__(dict(backbone, patch_embed=embed), *args, **kwargs)
