"""Move boxes, masks and segmentation maps in mm's results with the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..encryption import Plan
from ..encryption.masks import within_boxes
from ..errors import InvalidValueError

PER_INSTANCE = ('gt_bboxes_labels', 'gt_ignore_flags', 'gt_instances_ids')
NOT_MOVED = ('gt_keypoints', 'proposals', 'gt_poses')

Results = dict[str, Any]


def refuse_unmovable(results: Results, name: str) -> None:
    """Refuse results with annotations that the transform ``name`` cannot move.

    Raises:
        InvalidValueError: names the annotations.
    """
    carried = [key for key in NOT_MOVED if results.get(key) is not None]
    if carried:
        raise InvalidValueError(
            f'{name} cannot move {", ".join(carried)}, which would no longer fit the image; '
            'it moves gt_bboxes, gt_masks and gt_seg_map'
        )


def shuffle_annotations(results: Results, plan: Plan, bbox_mode: str) -> None:
    """Move boxes, masks and segmentation map with the shuffled patches, in place.

    Args:
        results: of an mm pipeline.
        plan: of a scheme that shuffles only.
        bbox_mode: 'fragment', 'enclose' or 'keep', see :meth:`.encryption.Plan.move_boxes`.
    """
    masks = results.get('gt_masks')
    if masks is not None:
        masks = _shuffle_masks(masks, plan)
    if results.get('gt_seg_map') is not None:
        results['gt_seg_map'] = plan.apply_mask(results['gt_seg_map'], pad_value=255)
    if results.get('gt_bboxes') is not None and bbox_mode != 'keep':
        boxes = _as_array(results['gt_bboxes'])
        moved, source = plan.move_boxes(boxes, bbox_mode)
        results['gt_bboxes'] = _like(results['gt_bboxes'], moved.astype(boxes.dtype))
        for key in PER_INSTANCE:
            if results.get(key) is not None:
                results[key] = results[key][source]
        results['gt_instance_ids'] = source.astype(np.int64)
        if masks is not None and bbox_mode == 'fragment':
            masks.masks = within_boxes(masks.masks, moved, source)  # BitmapMasks(...) would copy them
        elif masks is not None:
            masks = masks[source]
    if masks is not None:
        results['gt_masks'] = masks


def mix_annotations(results: Results, plan: Plan) -> None:
    """Shrink boxes, masks and segmentation map with the mixed image, in place.

    ``scale_factor`` (w, h) is multiplied by 1 / grid, so that mmdet puts
    predictions back into the original frame.

    Args:
        results: of an mm pipeline.
        plan: of a scheme that mixes only.
    """
    assert plan.mixup is not None
    share, grid = 1 / plan.mixup.parts, plan.mixup.grid
    w_scale, h_scale = results.get('scale_factor', (1.0, 1.0))
    results['scale_factor'] = (w_scale * share, h_scale * share)
    if results.get('homography_matrix') is not None:
        results['homography_matrix'] = np.diag([share, share, 1]).astype(np.float32) @ results['homography_matrix']
    if results.get('gt_bboxes') is not None:
        boxes = _as_array(results['gt_bboxes'])
        results['gt_bboxes'] = _like(results['gt_bboxes'], plan.move_boxes(boxes)[0].astype(boxes.dtype))
    if results.get('gt_seg_map') is not None:
        results['gt_seg_map'] = plan.apply_mask(results['gt_seg_map'], pad_value=255)
    if results.get('gt_masks') is not None:
        masks, fitted = results['gt_masks'], grid.fitted_shape
        masks = masks.pad(fitted) if grid.remainder == 'pad' else masks.crop(np.array([0, 0, *fitted[::-1]]))
        results['gt_masks'] = masks.resize(plan.encrypted_shape)


def _as_array(boxes: Any) -> np.ndarray:
    """Return (n, 4) xyxy as an ndarray, from an ndarray or mmdet's box types."""
    if isinstance(boxes, np.ndarray):
        return boxes.reshape(-1, 4)
    array: np.ndarray = boxes.convert_to('hbox').numpy()
    return array


def _like(boxes: Any, array: np.ndarray) -> Any:
    """Return ``array`` in the type of ``boxes``: an ndarray, or mmdet's horizontal boxes."""
    if isinstance(boxes, np.ndarray):
        return array
    from mmdet.structures.bbox import HorizontalBoxes

    return HorizontalBoxes(array)


def _shuffle_masks(masks: Any, plan: Plan) -> Any:
    """Move the pixels of mmdet's masks; the result is bitmaps, as the pieces of a polygon are not one polygon."""
    from mmdet.structures.mask import BitmapMasks

    h, w = plan.encrypted_shape
    bits = masks.to_ndarray().astype(np.uint8, copy=False)
    moved = np.empty((len(bits), h, w), np.uint8)
    for here, mask in zip(moved, bits):
        here[...] = plan.apply_mask(mask)
    return BitmapMasks(moved, h, w)
