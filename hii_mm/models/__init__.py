"""Models that learn on encrypted images.

PEViT is built on mmpretrain, YOLOS and PEYOLOS on mmdet. Where one of the two
is not installed, its models are left out.
"""

from __future__ import annotations

from importlib.util import find_spec

from .. import compat

compat.prepare()  # before mmdet, which needs mmcv's ops or the stand-in

__all__: list[str] = []

if find_spec('mmpretrain'):
    from .patch_conv import PatchConvViT
    from .patch_cutmix import PatchCutMix
    from .pevit import PEViT
    from .stem import StemPEViT

    __all__ += ['PEViT', 'PatchConvViT', 'PatchCutMix', 'StemPEViT']

if find_spec('mmdet'):
    from .patch_detector import PatchDetector
    from .patch_head import PatchHead
    from .pointing import PointingYOLOS, PointingYOLOSBackbone, PointingYOLOSHead
    from .yolos import PEYOLOS, YOLOS, YOLOSHead
    from .yolos_backbone import YOLOSBackbone

    __all__ += ['PEYOLOS', 'YOLOS', 'YOLOSBackbone', 'YOLOSHead']
    __all__ += ['PatchDetector', 'PatchHead', 'PointingYOLOS', 'PointingYOLOSBackbone', 'PointingYOLOSHead']
