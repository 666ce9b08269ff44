"""PatchDetector: detect the fragments of objects in the patches of a shuffled picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.models import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.registry import MODELS as BUILD
from torch import Tensor

from ..registry import MODELS, register


@register(MODELS)
class PatchDetector(BaseDetector):
    """A backbone without positions, and a head that answers for each patch.

    Shuffling the patches of a picture shuffles the answers and changes nothing
    else. The boxes are fragments in the encrypted picture; with the key they
    become objects, see :mod:`hii_mm.inference.joining`.

    Train on ``PatchShuffle(bbox_mode='fragment')``, and name 'gt_instance_ids'
    in the ``meta_keys`` of ``PackDetInputs``: without them the head does not
    learn which fragments belong together.

    Args:
        backbone: config of a :class:`.pevit.PEViT` with ``out_type='featmap'``.
            It does not mask padding: use a batch of one, or pictures of one size.
        bbox_head: config of a :class:`.patch_head.PatchHead`.
        data_preprocessor: as in mmdet; ``pad_size_divisor`` must be the side
            of a patch.
        init_cfg: as in mmengine.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        bbox_head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = BUILD.build(backbone)
        self.bbox_head = BUILD.build(dict(bbox_head, embed_dims=self.backbone.embed_dims))

    @property
    def stride(self) -> int:
        """Side of a patch in pixels."""
        side: int = self.backbone.input_patch_size[0]
        return side

    def extract_feat(self, batch_inputs: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, D), the patches' tokens."""
        features: Tensor = self.backbone(batch_inputs)[-1]  # (B, D, rows, cols)
        return features.flatten(2).transpose(1, 2)

    def _grid(self, batch_inputs: Tensor) -> tuple[int, int]:
        """Return (rows, cols) of patches."""
        return batch_inputs.shape[-2] // self.stride, batch_inputs.shape[-1] // self.stride

    def loss(self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """(B, C, H, W) -> the head's losses."""
        tokens = self.extract_feat(batch_inputs)
        losses: dict[str, Tensor] = self.bbox_head.loss(
            tokens, self._grid(batch_inputs), self.stride, batch_data_samples
        )
        return losses

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample], rescale: bool = True
    ) -> Sequence[DetDataSample]:
        """Add ``pred_instances`` to the data samples, see :meth:`.patch_head.PatchHead.predict`.

        With ``rescale``, boxes are divided by ``scale_factor``, as other detectors do.
        """
        tokens = self.extract_feat(batch_inputs)
        found = self.bbox_head.predict(tokens, self._grid(batch_inputs), self.stride, batch_data_samples)
        for sample, fragments in zip(batch_data_samples, found, strict=True):
            if rescale and 'scale_factor' in sample:
                fragments.bboxes = fragments.bboxes / fragments.bboxes.new_tensor([*sample.scale_factor] * 2)
        results: Sequence[DetDataSample] = self.add_pred_to_datasample(batch_data_samples, found)
        return results

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> tuple[Tensor, ...]:
        """(B, C, H, W) -> logits (B, N, K * (classes + 1)), boxes, sides and embeddings likewise."""
        return tuple(part.flatten(2) for part in self.bbox_head(self.extract_feat(batch_inputs)))
