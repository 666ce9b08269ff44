"""mm transforms over :mod:`hii_mm.encryption`."""

from .patch_mixup import PatchMixup
from .patch_shuffle import PatchShuffle

__all__ = ['PatchMixup', 'PatchShuffle']
