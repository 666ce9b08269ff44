"""What belongs to an image and moves with it: boxes, masks and segmentation maps in mm's results."""

import numpy as np

from ..encryption import enclose_boxes, fragment_boxes

BBOX_MODES = ('fragment', 'enclose', 'keep')
PER_INSTANCE = ('gt_bboxes_labels', 'gt_ignore_flags', 'gt_instances_ids')
NOT_MOVED = ('gt_keypoints', 'proposals', 'gt_poses')


def refuse_what_stays(results, name):
    """Refuse results with annotations that nothing here can move.

    Raises:
        ValueError: naming them.
    """
    carried = [key for key in NOT_MOVED if results.get(key) is not None]
    if carried:
        raise ValueError(
            f'{name} cannot move {", ".join(carried)}, which would no longer fit the image; '
            'it moves gt_bboxes, gt_masks and gt_seg_map'
        )


def shuffle_annotations(results, plan, bbox_mode):
    """Move boxes, masks and seg map with the patches of a :class:`ShufflePlan`, in place."""
    masks = results.get('gt_masks')
    if masks is not None:
        masks = _shuffle_masks(masks, plan)
    if results.get('gt_seg_map') is not None:
        results['gt_seg_map'] = plan.apply(results['gt_seg_map'], pad_value=255)
    if results.get('gt_bboxes') is not None and bbox_mode != 'keep':
        boxes = _as_array(results['gt_bboxes'])
        moved, source = (fragment_boxes if bbox_mode == 'fragment' else enclose_boxes)(plan, boxes)
        results['gt_bboxes'] = _like(results['gt_bboxes'], moved.astype(boxes.dtype))
        for key in PER_INSTANCE:
            if results.get(key) is not None:
                results[key] = results[key][source]
        results['gt_instance_ids'] = source.astype(np.int64)
        if masks is not None:
            masks = masks[source]
            if bbox_mode == 'fragment':
                _clip_masks(masks, moved)
    if masks is not None:
        results['gt_masks'] = masks


def mix_annotations(results, plan):
    """Shrink boxes, masks and seg map with the image of a :class:`MixupPlan`, in place.

    ``scale_factor`` (w, h) is multiplied by 1 / grid, so that mmdet puts
    predictions back into the original frame.
    """
    share, shape, fitted = 1 / plan.parts, plan.encrypted_shape, plan.grid.fitted_shape
    w_scale, h_scale = results.get('scale_factor', (1.0, 1.0))
    results['scale_factor'] = (w_scale * share, h_scale * share)
    if results.get('homography_matrix') is not None:
        results['homography_matrix'] = np.diag([share, share, 1]).astype(np.float32) @ results['homography_matrix']
    if results.get('gt_bboxes') is not None:
        boxes = _as_array(results['gt_bboxes'])
        if plan.grid.remainder == 'crop':
            boxes = np.clip(boxes, 0, [fitted[1], fitted[0]] * 2)
        results['gt_bboxes'] = _like(results['gt_bboxes'], (boxes * share).astype(boxes.dtype))
    if results.get('gt_seg_map') is not None:
        results['gt_seg_map'] = _every(plan.grid.fit(results['gt_seg_map'], pad_value=255), plan.parts)
    if results.get('gt_masks') is not None:
        masks = results['gt_masks']
        masks = masks.pad(fitted) if plan.grid.remainder == 'pad' else masks.crop(np.array([0, 0, *fitted[::-1]]))
        results['gt_masks'] = masks.resize(shape)


def _every(seg_map, parts):
    """The value at the middle of each parts x parts square, as nearest resizing takes it."""
    return np.ascontiguousarray(seg_map[parts // 2 :: parts, parts // 2 :: parts])


def _as_array(boxes):
    """(n, 4) xyxy as an ndarray, from an ndarray or mmdet's box types."""
    if isinstance(boxes, np.ndarray):
        return boxes.reshape(-1, 4)
    return boxes.convert_to('hbox').numpy()


def _like(boxes, array):
    """``array`` as what ``boxes`` are: an ndarray, or mmdet's horizontal boxes."""
    if isinstance(boxes, np.ndarray):
        return array
    from mmdet.structures.bbox import HorizontalBoxes

    return HorizontalBoxes(array)


def _shuffle_masks(masks, plan):
    """Mmdet's masks with their pixels moved, as bitmaps (a shuffled polygon is none)."""
    from mmdet.structures.mask import BitmapMasks

    h, w = plan.encrypted_shape
    bits = masks.to_ndarray()
    if len(bits):
        moved = plan.apply(np.ascontiguousarray(bits.transpose(1, 2, 0)).astype(np.uint8), pad_value=0)
        bits = np.ascontiguousarray(moved.transpose(2, 0, 1))
    else:
        bits = np.empty((0, h, w), np.uint8)
    return BitmapMasks(bits, h, w)


def _clip_masks(masks, boxes):
    """Leave each mask only what lies in its fragment, in place."""
    for mask, (x1, y1, x2, y2) in zip(masks.masks, boxes):
        inside = np.s_[int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))]
        part = mask[inside].copy()
        mask[:] = 0
        mask[inside] = part
