"""mm transforms over :mod:`hii_mm.encryption`, and the same for batches of tensors."""

from .batch import BatchPatchMixup, BatchPatchShuffle
from .patch_mixup import PatchMixup
from .patch_shuffle import PatchShuffle

__all__ = ['BatchPatchMixup', 'BatchPatchShuffle', 'PatchMixup', 'PatchShuffle']
