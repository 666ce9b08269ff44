"""``PatchCutMix``: CutMix for images whose patches are shuffled."""

from __future__ import annotations

import numpy as np
import torch
from mmpretrain.models.utils.batch_augments import Mixup
from torch import Tensor

from ..encryption.checks import pair
from ..errors import InvalidValueError
from ..registry import BATCH_AUGMENTS, register


@register(BATCH_AUGMENTS)
class PatchCutMix(Mixup):
    """Exchange whole patches between the images of a batch.

    CutMix pastes a rectangle, whose edges cut through patches; and on a
    shuffled image a rectangle of patches is not a region of the picture. Here
    a random set of patches is exchanged, the same places in every image of the
    batch, and labels are mixed by the exact share.

    Source: CutMix, Yun et al., arXiv 1905.04899; whole patches are ours.

    Args:
        alpha: parameter of the Beta distribution of the kept share.
        patch_size: side of a patch, or (h, w), in pixels of the encrypted
            image: the model's patch size.

    Raises:
        InvalidTypeError, InvalidValueError: a patch size that is not accepted,
            or images that are not a multiple of it.
    """

    def __init__(self, alpha: float, patch_size: int | tuple[int, int]) -> None:
        super().__init__(alpha=alpha)
        self.patch_size = pair('patch_size', patch_size, 1)

    def mix(self, batch_inputs: Tensor, batch_scores: Tensor) -> tuple[Tensor, Tensor]:
        """Mix images (B, C, H, W) and one-hot labels (B, classes) -> the same shapes."""
        (h, w), (ph, pw) = batch_inputs.shape[-2:], self.patch_size
        if h % ph or w % pw:
            raise InvalidValueError(f'image size {h} x {w} (h x w) is not a multiple of patch_size {ph} x {pw}')
        rows, cols = h // ph, w // pw
        taken = round((1 - np.random.beta(self.alpha, self.alpha)) * rows * cols)
        other = torch.randperm(len(batch_inputs), device=batch_inputs.device)
        where = torch.zeros(rows * cols, dtype=torch.bool, device=batch_inputs.device)
        where[torch.randperm(rows * cols, device=batch_inputs.device)[:taken]] = True
        where = where.reshape(rows, 1, cols, 1).expand(rows, ph, cols, pw).reshape(h, w)
        share = taken / (rows * cols)
        return (
            torch.where(where, batch_inputs[other], batch_inputs),
            (1 - share) * batch_scores + share * batch_scores[other],
        )
