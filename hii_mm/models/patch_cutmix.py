"""``PatchCutMix``: CutMix for images whose patches are shuffled."""

import numpy as np
import torch
from mmpretrain.models.utils.batch_augments import Mixup

from ..encryption.checks import pair
from ..registry import BATCH_AUGMENTS, register


@register(BATCH_AUGMENTS)
class PatchCutMix(Mixup):
    """Exchange whole patches between the images of a batch.

    CutMix pastes a rectangle, whose edges cut through patches; on a shuffled
    image a rectangle of patches is no region of the picture anyway. So a
    random set of patches is exchanged, the same places in every image of the
    batch, and labels are mixed by the exact share.

    Source: CutMix, Yun et al., arXiv 1905.04899; whole patches are ours.

    Args:
        alpha (float): Parameter of the Beta distribution of the kept share.
        patch_size (int | tuple[int, int]): Side of a patch, or (h, w), in
            pixels of the encrypted image: the model's patch size.

    Raises:
        TypeError, ValueError: a patch size that is not accepted, or images
            that are no whole patches.
    """

    def __init__(self, alpha, patch_size):
        super().__init__(alpha=alpha)
        self.patch_size = pair('patch_size', patch_size, 1)

    def mix(self, batch_inputs, batch_scores):
        """Mix images (B, C, H, W) and one-hot labels (B, classes) -> the same shapes."""
        (h, w), (ph, pw) = batch_inputs.shape[-2:], self.patch_size
        if h % ph or w % pw:
            raise ValueError(f'images of {h} x {w} (h x w) are no whole patches of {ph} x {pw}')
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
