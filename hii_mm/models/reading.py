"""State what images a model is made for, so that a run can be checked before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

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
        positions: it adds a position to every patch.
    """

    name: str
    patch_size: Pair | None = None
    mix_grid: int | None = None
    mixes_inside: bool = False
    positions: bool = False


def reading(model: Any) -> Reading:
    """Return what a model's backbone reads.

    Backbones state it by ``input_patch_size``, ``mix_grid``, ``mixes_inside``
    and ``reads_positions``, as :class:`.pevit.PEViT` and
    :class:`.yolos_backbone.YOLOSBackbone` do; those of mmpretrain and mmdet
    stand in a table here. Of others nothing is known.

    Args:
        model: with a ``backbone``, such as mmpretrain's ``ImageClassifier``.
    """
    backbone = getattr(model, 'backbone', None)
    name = type(backbone if backbone is not None else model).__name__
    if hasattr(backbone, 'input_patch_size'):
        return Reading(
            name, backbone.input_patch_size, backbone.mix_grid, backbone.mixes_inside, backbone.reads_positions
        )
    for kind, patch_size, positions in _known():
        if isinstance(backbone, kind):
            return Reading(name, patch_size(backbone), positions=positions(backbone))
    return Reading(name)


@lru_cache(maxsize=1)
def _known() -> list[tuple[type, Callable[[Any], Pair], Callable[[Any], bool]]]:
    """Return (class, reader of its patch size, reader of whether it adds positions) of the hosts' backbones."""

    def kernel(backbone: Any) -> Pair:
        h, w = backbone.patch_embed.projection.kernel_size
        return h, w

    known: list[tuple[type, Callable[[Any], Pair], Callable[[Any], bool]]] = []
    if find_spec('mmpretrain'):
        from mmpretrain.models import BEiTViT, SwinTransformer, VisionTransformer

        known += [
            (VisionTransformer, kernel, lambda backbone: backbone.pos_embed is not None),
            (BEiTViT, kernel, lambda backbone: backbone.pos_embed is not None),
            (SwinTransformer, kernel, lambda backbone: True),
        ]
    if find_spec('mmdet'):
        from mmdet.models import SwinTransformer as DetSwinTransformer

        known.append((DetSwinTransformer, kernel, lambda backbone: True))
    return known
