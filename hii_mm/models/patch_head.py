"""A head that answers for each patch by itself: what it shows, where in the patch, and how the object goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from mmdet.models.layers import MLP
from mmdet.structures import DetDataSample
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from ..errors import InvalidValueError
from ..registry import MODELS, register
from .fragments import fragment_targets, inside_picture, patch_origins, same_loss, stack


class Answers(NamedTuple):
    """The head's answers for N patches of K slots.

    Attributes:
        logits: (B, N, K, classes + 1); the last is 'nothing'.
        boxes: (B, N, K, 4) xyxy in patches within the patch, not clipped.
        sides: (B, N, K, 4) logits: the object goes on left, above, right, below.
        embeddings: (B, N, K, E); exp(-squared distance) is how likely two fragments are of one object.
    """

    logits: Tensor
    boxes: Tensor
    sides: Tensor
    embeddings: Tensor


@register(MODELS)
class PatchHead(BaseModule):
    """Predict the fragments in each patch, from this patch's token alone.

    A patch has K slots, the larger fragment in the first. An answer depends on
    the token and not on the place, so that it moves with its patch.

    Args:
        num_classes: classes, without 'nothing'.
        embed_dims: width of the tokens.
        slots: K, fragments in a patch at most.
        embedding_dims: E, of the embedding that says which fragments belong
            together. 0 where the data do not tell, as on a copy: fragments are
            then joined by their sides and classes.
        weights: of the losses, any of 'cls', 'box', 'sides' and 'same'.
        score_thr: fragments with lower scores are left out.
        max_per_img: at most so many fragments in a picture.
        init_cfg: as in mmengine.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dims: int,
        slots: int = 2,
        embedding_dims: int = 8,
        weights: dict[str, float] | None = None,
        score_thr: float = 0.05,
        max_per_img: int = 1000,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes, self.slots = num_classes, slots
        self.weights = {'cls': 1.0, 'box': 2.0, 'sides': 0.5, 'same': 0.5, **(weights or {})}
        self.score_thr, self.max_per_img = score_thr, max_per_img
        self._parts = (num_classes + 1, 4, 4, embedding_dims)
        self.layers = MLP(embed_dims, embed_dims, slots * sum(self._parts), 3)

    def forward(self, tokens: Tensor) -> Answers:
        """(B, N, D) -> answers, float32 also under mixed precision."""
        answers = self.layers(tokens).float().unflatten(2, (self.slots, -1))
        logits, boxes, sides, embeddings = answers.split(self._parts, dim=-1)
        return Answers(logits, boxes + boxes.new_tensor([0.0, 0.0, 1.0, 1.0]), sides, embeddings)

    def loss(
        self, tokens: Tensor, grid: tuple[int, int], stride: int, samples: Sequence[DetDataSample]
    ) -> dict[str, Tensor]:
        """Return 'loss_cls', 'loss_box', 'loss_sides' and 'loss_same'.

        Args:
            tokens: (B, N, D).
            grid: (rows, cols) of patches.
            stride: side of a patch in pixels.
            samples: with ``gt_instances`` in the encrypted pictures.

        Raises:
            InvalidValueError: samples that do not tell which fragments belong
                together, for a head with an embedding.
        """
        answers = self(tokens)
        truth = stack([fragment_targets(each, grid, stride, self.slots, self.num_classes) for each in samples])
        logits, labels = answers.logits[truth.inside], truth.labels[truth.inside]  # (P, K, classes + 1), (P, K)
        found = truth.labels < self.num_classes
        if self._parts[-1] and (truth.ids[found] < 0).any():
            raise InvalidValueError(
                "the samples hold no gt_instance_ids: name 'gt_instance_ids' in the meta_keys of PackDetInputs, or set "
                'embedding_dims=0 where the data do not tell which fragments belong together'
            )
        count = found.sum().clamp(min=1)
        sides = F.binary_cross_entropy_with_logits(answers.sides[found], truth.sides[found], reduction='sum')
        losses = {
            'cls': F.cross_entropy(logits.flatten(0, 1), labels.flatten()) * self.slots,
            'box': (answers.boxes[found] - truth.boxes[found]).abs().sum() / count,
            'sides': sides / count,
            'same': same_loss(answers.embeddings, truth.ids),
        }
        return {f'loss_{name}': value * self.weights[name] for name, value in losses.items()}

    def predict(
        self, tokens: Tensor, grid: tuple[int, int], stride: int, samples: Sequence[DetDataSample]
    ) -> list[InstanceData]:
        """Return the fragments of each picture.

        Returns:
            For each picture an InstanceData of n fragments: ``bboxes`` (n, 4)
            xyxy in pixels of the encrypted picture; ``scores`` and ``labels``
            (n,), of the likeliest class; ``class_scores`` (n, classes);
            ``sides`` (n, 4), how likely the object goes on left, above, right
            and below; ``embeddings`` (n, E).
        """
        origins = patch_origins(grid, tokens.device).repeat(1, 2)  # (N, 4)
        return [
            self._fragments(Answers(*parts), origins, stride, inside_picture(sample, grid, stride, tokens.device))
            for *parts, sample in zip(*self(tokens), samples, strict=True)
        ]

    def _fragments(self, answers: Answers, origins: Tensor, stride: int, inside: Tensor) -> InstanceData:
        """Return the fragments of one picture; ``answers`` have no batch axis."""
        chances = answers.logits.softmax(-1)[..., :-1]  # (N, K, classes)
        boxes = answers.boxes.clamp(0, 1)
        sized = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
        scores, labels = chances.max(-1)
        scores = scores * (sized & inside[:, None])
        best = scores.flatten().topk(min(self.max_per_img, scores.numel()))
        kept = best.indices[best.values > self.score_thr]
        found = InstanceData(
            bboxes=((boxes + origins[:, None]) * stride).flatten(0, 1)[kept],
            scores=scores.flatten()[kept],
            labels=labels.flatten()[kept],
            class_scores=chances.flatten(0, 1)[kept],
            sides=answers.sides.sigmoid().flatten(0, 1)[kept],
        )
        if answers.embeddings.shape[-1]:
            found.embeddings = answers.embeddings.flatten(0, 1)[kept]
        return found
