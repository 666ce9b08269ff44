"""YOLOS and PEYOLOS as mmdet detectors.

Sources: Fang et al., "You Only Look at One Sequence", arXiv 2106.00666; Hao et
al., "Human-Imperceptible, Machine-Recognizable Images", arXiv 2306.03679.
Matching and losses are mmdet's DETRHead.
"""

import torch.nn.functional as F
from mmdet.models import BaseDetector
from mmdet.models.dense_heads import DETRHead
from mmengine.registry import MODELS as BUILD
from torch import nn

from ..registry import MODELS, register


class Mlp3(nn.Module):
    """Three linear layers with ReLU between."""

    def __init__(self, dims, out):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(dims, dims), nn.Linear(dims, dims), nn.Linear(dims, out)])

    def forward(self, x):
        """(..., D) -> (..., out)."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


@register(MODELS)
class YOLOSHead(DETRHead):
    """mmdet's DETRHead with YOLOS's two 3-layer MLPs.

    Args:
        num_classes (int): Classes, 'no object' not counted.
        embed_dims (int): Width of the backbone.
        bg_cls_weight (float): Weight of 'no object' in the classification loss.
        sync_cls_avg_factor (bool): Average the classification loss over the
            objects of all processes, as the box losses are, not over each
            one's own: so the number of processes changes no gradient.
        **kwargs: As DETRHead.
    """

    def __init__(self, num_classes, embed_dims=384, bg_cls_weight=0.1, sync_cls_avg_factor=True, **kwargs):
        # DETRHead weighs 'no object' only if it is not subclassed
        weights = [1.0] * num_classes + [bg_cls_weight]
        kwargs.setdefault('loss_cls', dict(type='CrossEntropyLoss', use_sigmoid=False, class_weight=weights))
        super().__init__(num_classes, embed_dims, sync_cls_avg_factor=sync_cls_avg_factor, **kwargs)
        self.bg_cls_weight = bg_cls_weight

    def _init_layers(self):
        self.class_embed = Mlp3(self.embed_dims, self.cls_out_channels)
        self.bbox_embed = Mlp3(self.embed_dims, 4)

    def forward(self, hidden_states):
        """(layers, B, T, D) -> logits (layers, B, T, classes + 1) and sigmoid cxcywh boxes (layers, B, T, 4)."""
        return self.class_embed(hidden_states), self.bbox_embed(hidden_states).sigmoid()


@register(MODELS)
class YOLOS(BaseDetector):
    """YOLOS: a plain vision transformer that detects.

    Args:
        backbone (dict): Config of a :class:`YOLOSBackbone`.
        bbox_head (dict): Config of a :class:`YOLOSHead`.
        train_cfg (dict, optional): Of the head: the assigner. None is DETR's.
        test_cfg (dict, optional): Of the head: ``max_per_img``. Without it
            each detection token gives one box.
        data_preprocessor (dict, optional): As in mmdet; ``pad_size_divisor``
            must be the side of a patch.
        init_cfg (dict, optional): As in mmengine.
    """

    def __init__(self, backbone, bbox_head, train_cfg=None, test_cfg=None, data_preprocessor=None, init_cfg=None):
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = BUILD.build(backbone)
        head = dict(bbox_head, embed_dims=self.backbone.embed_dims, test_cfg=test_cfg or {})
        self.bbox_head = BUILD.build(dict(head, train_cfg=train_cfg) if train_cfg else head)

    def extract_feat(self, batch_inputs, batch_data_samples=None):
        """(B, C, H, W) -> (1, B, T, D): the detection tokens, as DETRHead takes them."""
        shapes = None
        if batch_data_samples and all('img_shape' in sample for sample in batch_data_samples):
            shapes = [sample.img_shape[:2] for sample in batch_data_samples]
        return self.backbone(batch_inputs, shapes)[None]

    def loss(self, batch_inputs, batch_data_samples):
        """Dict of losses, as DETRHead's."""
        return self.bbox_head.loss(self.extract_feat(batch_inputs, batch_data_samples), batch_data_samples)

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        """The data samples with ``pred_instances``: bboxes (n, 4) xyxy in pixels, scores, labels."""
        tokens = self.extract_feat(batch_inputs, batch_data_samples)
        results = self.bbox_head.predict(tokens, batch_data_samples, rescale=rescale)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _forward(self, batch_inputs, batch_data_samples=None):
        """Logits (1, B, T, classes + 1) and sigmoid cxcywh boxes (1, B, T, 4)."""
        return self.bbox_head(self.extract_feat(batch_inputs, batch_data_samples))


@register(MODELS)
class PEYOLOS(YOLOS):
    """YOLOS that reads mixed images: its backbone embeds patches with ``MixedPatchEmbed``.

    Put ``PatchMixup`` with the same ``patch_size`` and ``grid`` last in the
    pipelines, or set ``mix_inside=True`` and leave it out. Arguments as
    :class:`YOLOS`, with a ``pad_size_divisor`` of ``patch_size / grid``.
    """

    def __init__(self, backbone, *args, **kwargs):
        embed = dict({'type': 'MixedPatchEmbed'}, **(backbone.get('patch_embed') or {}))
        super().__init__(dict(backbone, patch_embed=embed), *args, **kwargs)
