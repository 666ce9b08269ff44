"""State what images a model is made for, so that a run can be checked before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

Pair = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """Properties of the images that a backbone reads.

    Attributes:
        name: class of the backbone.
        patch_size: (h, w) in pixels of the patches of its input; None if unknown.
        mix_grid: grid of the mixed images that it is made for; None for models
            that read any images.
        mixes_inside: it mixes plain images itself.
    """

    name: str
    patch_size: Pair | None = None
    mix_grid: int | None = None
    mixes_inside: bool = False


def reading(model: Any) -> Reading:
    """Return what a model's backbone reads.

    Backbones state it by ``input_patch_size``, ``mix_grid`` and
    ``mixes_inside``, as :class:`.pevit.PEViT` and
    :class:`.yolos_backbone.YOLOSBackbone` do. Of others the patch size is known
    where ``patch_embed.projection`` is a convolution whose stride is its kernel,
    as in mmpretrain's ViT, BEiT, Swin and MLP-Mixer. Whether the order of
    patches matters is measured, see :mod:`.order`.

    Args:
        model: with a ``backbone``, such as mmpretrain's ``ImageClassifier``.
    """
    backbone = getattr(model, 'backbone', None)
    name = type(backbone if backbone is not None else model).__name__
    if hasattr(backbone, 'input_patch_size'):
        return Reading(name, backbone.input_patch_size, backbone.mix_grid, backbone.mixes_inside)
    projection = getattr(getattr(backbone, 'patch_embed', None), 'projection', None)
    if isinstance(projection, nn.Conv2d) and projection.kernel_size == projection.stride:
        h, w = projection.kernel_size
        return Reading(name, (h, w))
    return Reading(name)
