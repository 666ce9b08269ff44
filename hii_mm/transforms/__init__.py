"""mm transforms over :mod:`hii_mm.encryption`."""

from .patch_shuffle import PatchShuffle

__all__ = ['PatchShuffle']
