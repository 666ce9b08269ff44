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
    return plan.move(mask, pad_value)


def within_boxes(mask: np.ndarray, boxes: np.ndarray, source: np.ndarray | None = None) -> np.ndarray:
    """Cut masks into one mask a box, each empty outside of its box.

    Args:
        mask: (H, W), or (n, H, W).
        boxes: (m, 4) xyxy in pixels; a pixel that a box touches counts as inside.
        source: int64 (m,), the row of ``mask`` that each box is cut from; None
            where there is one mask a box, or one for all.

    Returns:
        (m, H, W), same dtype.
    """
    masks = np.broadcast_to(mask, (len(boxes), *mask.shape[-2:])) if source is None else mask
    parts = np.zeros((len(boxes), *mask.shape[-2:]), mask.dtype)  # zeros_like would write every pixel
    inner, outer = np.floor(boxes[:, :2]).astype(int).tolist(), np.ceil(boxes[:, 2:]).astype(int).tolist()
    rows = range(len(boxes)) if source is None else source.tolist()
    for part, row, (x1, y1), (x2, y2) in zip(parts, rows, inner, outer):
        part[y1:y2, x1:x2] = masks[row][y1:y2, x1:x2]
    return parts
