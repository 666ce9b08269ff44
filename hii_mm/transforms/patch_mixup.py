"""``PatchMixup``: mixing-up as an mm transform."""

import numpy as np
from mmcv.transforms import BaseTransform

from ..encryption import MixupParams
from ..registry import TRANSFORMS, register
from .annotations import mix_annotations, refuse_what_stays
from .order import EncryptedResults


@register(TRANSFORMS)
class PatchMixup(BaseTransform):
    """Average the sub-patches of each patch into one, as mixing-up (MI) does.

    The image becomes 1 / grid as high and wide; patches stay in order, so
    boxes shrink with it. Put it after every augmentation and before
    ``Pack*Inputs``; a geometric transform that comes later is an error that
    names it. ``PatchMixup(16, 2)`` followed by ``PatchShuffle(8)`` shuffles
    what is left.

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
    - pad_shape (tuple[int, int], (h, w)), if it was there
    - scale_factor (tuple[float, float], (w, h)), multiplied by 1 / grid
    - homography_matrix (np.float32, (3, 3)), if it was there

    Args:
        patch_size (int | tuple[int, int]): Side of a patch, or (h, w), in
            pixels. A model behind it reads patches of ``patch_size / grid``.
        grid (int): Sub-patches along each side of a patch.
        remainder (str): 'error', 'pad' or 'crop', where H or W is no multiple
            of the patch size.

    Raises:
        TypeError, ValueError: a value that is not accepted, an image that
            cannot be cut, or results that carry keypoints or proposals.
    """

    def __init__(self, patch_size=16, grid=2, remainder='error'):
        self.params = MixupParams(patch_size, grid, remainder)

    def transform(self, results):
        """Mix ``results['img']`` and shrink what belongs to it."""
        refuse_what_stays(results, 'PatchMixup')
        plan = self.params.plan(np.shape(results['img'])[:2])
        results['img'] = plan.apply(results['img'])
        mix_annotations(results, plan)
        results['img_shape'] = plan.encrypted_shape
        if 'pad_shape' in results:
            results['pad_shape'] = plan.encrypted_shape
        return EncryptedResults.wrap(results, self)

    def __repr__(self):
        return f'{type(self).__name__}({self.params})'
