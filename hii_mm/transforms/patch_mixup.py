"""``PatchMixup``: mixing-up as an mm transform."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from ..encryption import Scheme
from ..registry import TRANSFORMS, register
from .annotations import Results, mix_annotations, refuse_unmovable
from .copies import refuse_encrypted
from .preset import scheme_of_preset


@register(TRANSFORMS)
class PatchMixup(BaseTransform):
    """Average the sub-patches of each patch into one, as mixing-up (MI) does.

    The image becomes 1 / grid as high and wide; patches stay in order, so
    boxes shrink with it. Put it after every augmentation and before
    ``Pack*Inputs``: :class:`hii_mm.training.hooks.CheckEncryption` refuses
    transforms that follow it and may move pixels. ``PatchMixup(16, 2)``
    followed by ``PatchShuffle(8)`` shuffles the mixed patches.

    Source: Hao et al., "Human-Imperceptible, Machine-Recognizable Images",
    arXiv 2306.03679, section 3.2.

    Required Keys:

    - img (np.uint8 | np.uint16 | np.float32, (H, W) or (H, W, C))
    - gt_bboxes (BaseBoxes[torch.float32] | np.float32, (n, 4) xyxy) (optional)
    - gt_masks (BitmapMasks | PolygonMasks) (optional)
    - gt_seg_map (np.uint8, (H, W)) (optional)

    Modified Keys:

    - img, gt_bboxes, gt_masks, gt_seg_map
    - img_shape (tuple[int, int], (h, w))
    - pad_shape (tuple[int, int], (h, w)), if present
    - scale_factor (tuple[float, float], (w, h)), multiplied by 1 / grid
    - homography_matrix (np.float32, (3, 3)), if present

    Args:
        patch_size: side of a patch, or (h, w), in pixels. The model reads
            patches of ``patch_size / grid``.
        grid: sub-patches along each side of a patch.
        remainder: 'error', 'pad' or 'crop', where H or W is not a multiple of
            the patch size.
        strict: refuse a picture whose ``img_path`` lies in an encrypted copy.
        preset: name of a preset that mixes, such as 'mixed-v1', instead of
            ``patch_size`` and ``grid``. Of one that shuffles too this is the
            mixing alone: put ``PatchShuffle`` with the same preset behind it.

    Attributes:
        scheme: the :class:`hii_mm.encryption.Scheme`.

    Raises:
        InvalidTypeError, InvalidValueError: a value that is not accepted, an
            image that cannot be cut into patches, results that hold keypoints
            or proposals, or a picture that is encrypted already.
    """

    def __init__(
        self,
        patch_size: int | tuple[int, int] = 16,
        grid: int = 2,
        remainder: str = 'error',
        strict: bool = True,
        preset: str | None = None,
    ) -> None:
        self.preset = preset
        if preset is None:
            self.scheme = Scheme(patch_size, strategy='mixup', grid=grid, remainder=remainder)
        else:
            self.scheme = scheme_of_preset(PatchMixup, preset, remainder, patch_size=patch_size, grid=grid)
        self.strict = strict

    def transform(self, results: Results) -> Results:
        """Mix ``results['img']`` and shrink its annotations, in place."""
        refuse_unmovable(results, 'PatchMixup')
        if self.strict:
            refuse_encrypted(results, 'PatchMixup')
        plan = self.scheme.plan(np.shape(results['img']))
        results['img'] = plan.apply(results['img'])
        mix_annotations(results, plan)
        results['img_shape'] = plan.encrypted_shape
        if 'pad_shape' in results:
            results['pad_shape'] = plan.encrypted_shape
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.scheme.label}, remainder={self.scheme.remainder!r})'
