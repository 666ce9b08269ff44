"""Move masks and segmentation maps with shuffled patches. NumPy only."""

from __future__ import annotations

import numpy as np

from .shuffle import ShufflePlan


def shuffle_mask(plan: ShufflePlan, mask: np.ndarray, pad_value: int = 0) -> np.ndarray:
    """Shuffle labels (H, W[, N]).

    Args:
        plan: of the image.
        mask: of ``plan.plain_shape``; uint8, uint16 or float32.
        pad_value: label of what ``remainder='pad'`` adds.

    Returns:
        Of ``plan.encrypted_shape``, same dtype.
    """
    return plan.apply(mask, pad_value=pad_value)


def within_boxes(mask: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Cut a mask into one mask a box, each empty outside of its box.

    Args:
        mask: (H, W), or (n, H, W) with one mask a box.
        boxes: (n, 4) xyxy in pixels; a pixel that a box touches counts as inside.

    Returns:
        (n, H, W), same dtype.
    """
    masks = np.broadcast_to(mask, (len(boxes), *mask.shape[-2:]))
    parts = np.zeros_like(masks)
    for part, whole, (x1, y1, x2, y2) in zip(parts, masks, boxes):
        inside = np.s_[int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))]
        part[inside] = whole[inside]
    return parts
