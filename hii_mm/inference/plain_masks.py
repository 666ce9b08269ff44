"""Masks that a detector found in an encrypted picture, brought to the plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..encryption.masks import within_boxes

if TYPE_CHECKING:
    from .steps import Prepared


def plain_masks(masks: Tensor, sample: Any, prepared: Prepared, boxes: np.ndarray, source: np.ndarray) -> Tensor:
    """Return one mask for each box in the plain picture: the pixels of its object's mask that lie within it.

    Args:
        masks: bool (n, H, W), as mmdet answers: those of the encrypted picture,
            divided by ``scale_factor``, at the top left of ``ori_shape``.
        sample: mmdet's DetDataSample, with ``scale_factor``.
        prepared: the picture, and its plan.
        boxes: float64 (m, 4) xyxy in the plain picture as it was encrypted.
        source: int64 (m,), the row of ``masks`` that each box comes from.

    Returns:
        Bool (m, H, W), of the plain picture before it was resized.
    """
    plan, (width, height) = prepared.plan, prepared.scale
    assert plan is not None
    encrypted = _resized(masks.cpu().numpy().astype(np.uint8), plan.encrypted_shape, sample.scale_factor)
    restored = (
        plan.restore_mask(np.moveaxis(encrypted, 0, -1)) if len(masks) else np.zeros((*plan.plain_shape, 0), 'u1')
    )
    cut = within_boxes(np.moveaxis(restored, -1, 0), boxes, source)
    shape = tuple(masks.shape[-2:]) if not prepared.picture.encrypted else plan.plain_shape
    found = _resized(cut, shape, (1 / width, 1 / height))
    return torch.from_numpy(found.astype(bool)).to(masks.device)


def _resized(masks: np.ndarray, shape: tuple[int, ...], scale: tuple[float, float]) -> np.ndarray:
    """Return masks (n, H, W) times ``scale``, (w, h), on pictures of ``shape``, (h, w), to the nearest."""
    rows, cols = (
        np.minimum((np.arange(length) + 0.5) / times, size - 1).astype(int)
        for length, times, size in zip(shape, scale[::-1], masks.shape[-2:])
    )
    return masks[:, rows[:, None], cols]
