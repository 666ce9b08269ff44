"""Targets for a head that answers for each patch of a shuffled picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from ..errors import InvalidValueError

EPSILON = 1e-4
TOUCHES = 1e-3  # share of a patch up to which a box reaches its side


class FragmentTargets(NamedTuple):
    """What each slot of each patch of one picture holds, the largest fragment of a patch in its first slot.

    Attributes:
        labels: int64 (N, K); the background label where a slot is empty.
        boxes: float32 (N, K, 4) xyxy, in patches within the patch; zeros where empty.
        sides: float32 (N, K, 4), 1 where the fragment reaches the left, top, right or bottom side.
        ids: int64 (N, K), the object; -1 where empty or unknown.
        inside: bool (N,), False for patches of the padding.
    """

    labels: Tensor
    boxes: Tensor
    sides: Tensor
    ids: Tensor
    inside: Tensor


def patch_origins(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Return float32 (rows * cols, 2): x and y of the top left corner of each patch, in patches."""
    y, x = torch.meshgrid(*(torch.arange(n, device=device) for n in grid), indexing='ij')
    return torch.stack([x.flatten(), y.flatten()], dim=1).float()


def inside_picture(sample: DetDataSample, grid: tuple[int, int], stride: int, device: torch.device) -> Tensor:
    """Return bool (N,): which patches of a padded batch lie in the picture."""
    h, w = sample.img_shape[:2]
    origins = patch_origins(grid, device) * stride
    return (origins[:, 0] < w) & (origins[:, 1] < h)


def fragment_targets(
    sample: DetDataSample, grid: tuple[int, int], stride: int, slots: int, background: int
) -> FragmentTargets:
    """Cut the fragments of a picture along its patches, and sort them into slots.

    ``PatchShuffle`` merges fragments of an object that end up side by side, so
    that a box may lie in several patches; here it is cut again.

    Args:
        sample: with ``gt_instances`` in pixels of the encrypted picture, and
            ``gt_instance_ids`` in the metainfo where objects are known.
        grid: (rows, cols) of patches in the batch.
        stride: side of a patch in pixels.
        slots: K, fragments in a patch at most; the smallest are left out.
        background: label of empty slots.

    Raises:
        InvalidValueError: another number of ``gt_instance_ids`` than boxes.
    """
    truth = sample.gt_instances
    boxes = get_box_tensor(truth.bboxes).float() / stride  # (m, 4), in patches
    origins, count = patch_origins(grid, boxes.device), grid[0] * grid[1]
    inside = inside_picture(sample, grid, stride, boxes.device)
    boxes = torch.cat([boxes, boxes.new_zeros(slots, 4)])  # so that there are K in every patch
    corners = boxes.reshape(1, -1, 2, 2) - origins[:, None, None]  # (N, m + K, 2 corners, xy)
    local = corners.clamp(0, 1).flatten(2)
    area = (local[..., 2] - local[..., 0]) * (local[..., 3] - local[..., 1])
    size, which = area.topk(slots, dim=1)  # (N, K)
    found = size > 0
    local = local.gather(1, which[..., None].expand(-1, -1, 4)) * found[..., None]
    labels = torch.cat([truth.labels, truth.labels.new_full((slots,), background)])[which]
    ids = torch.cat([_instance_ids(sample, len(boxes) - slots).to(which), which.new_full((slots,), -1)])[which]
    reached = torch.cat([local[..., :2] <= TOUCHES, local[..., 2:] >= 1 - TOUCHES], dim=-1) & found[..., None]
    empty = torch.full((count, slots), background, device=boxes.device)
    return FragmentTargets(
        torch.where(found, labels, empty), local, reached.float(), torch.where(found, ids, empty * 0 - 1), inside
    )


def _instance_ids(sample: DetDataSample, count: int) -> Tensor:
    """Return int64 (count,), the object that each box belongs to; -1 where the metainfo does not tell."""
    ids = sample.metainfo.get('gt_instance_ids')
    if ids is None:
        return torch.full((count,), -1)
    ids = np.asarray(ids)
    ignored = sample.metainfo.get('gt_ignore_flags')
    if ignored is not None:  # ignored boxes are packed apart
        ids = ids[~np.asarray(ignored, bool)]
    if len(ids) != count:
        raise InvalidValueError(
            f'{len(ids)} gt_instance_ids for {count} boxes: pack gt_ignore_flags too '
            "(meta_keys of PackDetInputs: 'gt_instance_ids', 'gt_ignore_flags')"
        )
    return torch.from_numpy(ids.astype(np.int64))


def stack(targets: Sequence[FragmentTargets]) -> FragmentTargets:
    """Return the targets of a batch, each with a batch axis in front."""
    return FragmentTargets(*(torch.stack(parts) for parts in zip(*targets, strict=True)))


def same_loss(embeddings: Tensor, ids: Tensor) -> Tensor:
    """Return the cross entropy of 'two fragments show one object', the mean over the pairs within pictures.

    Args:
        embeddings: (B, N, K, E).
        ids: int64 (B, N, K), the objects; fragments of -1 are left out.
    """
    total, pairs = embeddings.sum() * 0, 0
    if not embeddings.shape[-1]:
        return total
    for vectors, objects in zip(embeddings.flatten(1, 2), ids.flatten(1)):
        vectors, objects = vectors[objects >= 0], objects[objects >= 0]
        first, second = torch.triu_indices(len(objects), len(objects), 1, device=ids.device)
        distance = (vectors[first] - vectors[second]).square().sum(1)
        other = -torch.log1p(-torch.exp(-distance) * (1 - EPSILON))
        total = total + torch.where(objects[first] == objects[second], distance, other).sum()
        pairs += len(first)
    return total / max(pairs, 1)
