"""Models that learn on encrypted images.

PEViT is built on mmpretrain; where that is not installed, only the transforms
are there.
"""

from importlib.util import find_spec

if find_spec('mmpretrain'):
    from .patch_cutmix import PatchCutMix
    from .pevit import PEViT

    __all__ = ['PEViT', 'PatchCutMix']
