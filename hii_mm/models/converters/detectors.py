"""Convert the weights of YOLOS and PEYOLOS for our detectors, or start them from DeiT's.

Source layouts: the released YOLOS (https://github.com/hustvl/YOLOS) and PEYOLOS
checkpoints, Hugging Face's YolosForObjectDetection, and the released DeiT.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import CheckpointError
from .checkpoint import DISTILLED, POOLER, Converted, Rule, check_names, depth_of, listed, rename
from .classifiers import HF_REST

# COCO's 80 categories by id: the rows of mmdet's 80 classes, in mmdet's order, among the released 92 logits.
NOT_IN_COCO = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_IDS = tuple(i for i in range(91) if i not in NOT_IN_COCO)
NO_OBJECT = 91

BLOCKS = r'(blocks\.\d+\.(?:norm1|norm2|attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)\.(?:weight|bias))'
RELEASED: list[Rule] = [
    (r'backbone\.(cls_token|det_token|pos_embed|mid_pos_embed|norm\.(?:weight|bias))', r'backbone.\1', ''),
    (r'backbone\.patch_embed\.((?:proj|proj_siat|proj_siat_embed)\.(?:weight|bias))', r'backbone.patch_embed.\1', ''),
    (rf'backbone\.{BLOCKS}', r'backbone.\1', ''),
    (r'((?:class|bbox)_embed\.layers\.[012]\.(?:weight|bias))', r'bbox_head.\1', ''),
]
DEIT: list[Rule] = [
    (r'(cls_token|pos_embed|norm\.(?:weight|bias))', r'backbone.\1', ''),
    (r'patch_embed\.proj\.(weight|bias)', r'backbone.patch_embed.proj.\1', ''),
    (BLOCKS, r'backbone.\1', ''),
    (r'head\.(weight|bias)', None, 'classifier: detectors have heads of their own'),
    (r'dist_token|head_dist\.(weight|bias)', None, DISTILLED),
]
HUGGING_FACE: list[Rule] = [
    (r'vit\.embeddings\.cls_token', r'backbone.cls_token', ''),
    (r'vit\.embeddings\.detection_tokens', r'backbone.det_token', ''),
    (r'vit\.embeddings\.position_embeddings', r'backbone.pos_embed', ''),
    (r'vit\.encoder\.mid_position_embeddings', r'backbone.mid_pos_embed', ''),
    (r'vit\.embeddings\.patch_embeddings\.projection\.(weight|bias)', r'backbone.patch_embed.proj.\1', ''),
    *((rf'vit\.encoder\.layer\.(\d+)\.{theirs}', rf'backbone.blocks.\1.{ours}', '') for theirs, ours in HF_REST),
    (r'vit\.layernorm\.(weight|bias)', r'backbone.norm.\1', ''),
    (r'class_labels_classifier\.(layers\.[012]\.(?:weight|bias))', r'bbox_head.class_embed.\1', ''),
    (r'bbox_predictor\.(layers\.[012]\.(?:weight|bias))', r'bbox_head.bbox_embed.\1', ''),
    (r'vit\.pooler\.dense\.(weight|bias)', None, POOLER),
]


def convert_yolos(
    source: Mapping[str, Tensor],
    model: str,
    keep_classes: bool = False,
    img_size: tuple[int, int] = (512, 864),
    det_tokens: int = 100,
) -> Converted:
    """Rename a detector's weights for our YOLOS or PEYOLOS.

    Args:
        source: ``{name: tensor}`` as :func:`.checkpoint.read_checkpoint` returns it.
        model: 'yolos' or 'peyolos'.
        keep_classes: keep the rows of the classifier. Otherwise its 92 rows,
            COCO's category ids 0..90 and 91 for 'no object', become mmdet's
            80 + 1.
        img_size: (h, w) in pixels of the config's position table; a DeiT's is
            resized to it.
        det_tokens: detection tokens of the config; a DeiT has none, so they
            start at random.

    Raises:
        CheckpointError: an unknown layout, or unknown or missing keys; all of
            them are listed.
    """
    layout, rules = _layout(source)
    renamed, left_out = rename(source, layout, rules)
    expected = _expected(renamed, 'yolos' if rules is DEIT else model)
    if rules is DEIT:
        expected = {key for key in expected if not key.startswith('bbox_head.')} - {'backbone.det_token'}
    check_names(renamed, expected, layout, model)
    if rules is DEIT:
        _start_from_deit(renamed, left_out, model, img_size, det_tokens)
    elif not keep_classes:
        _pick_classes(renamed, left_out)
    return Converted(renamed, layout, left_out)


def _layout(source: Mapping[str, Tensor]) -> tuple[str, list[Rule]]:
    """Return the name and the rules of a checkpoint's layout.

    Raises:
        CheckpointError: an unknown layout.
    """
    if 'vit.embeddings.detection_tokens' in source:
        return 'Hugging Face YOLOS', HUGGING_FACE
    if 'backbone.det_token' in source and 'class_embed.layers.0.weight' in source:
        mixed = 'backbone.patch_embed.proj_siat.weight' in source
        return 'PEYOLOS' if mixed else 'YOLOS', RELEASED
    if 'pos_embed' in source and 'patch_embed.proj.weight' in source:
        return 'distilled DeiT' if 'dist_token' in source else 'DeiT', DEIT
    raise CheckpointError(
        'unknown layout: neither YOLOS or PEYOLOS (backbone.det_token, class_embed.layers) nor Hugging Face YOLOS '
        f'(vit.embeddings.detection_tokens) nor DeiT (patch_embed.proj, pos_embed); it has {listed(sorted(source))}'
    )


def _expected(renamed: Mapping[str, Tensor], model: str) -> set[str]:
    """Return the names of all parameters of a model of this depth."""
    from ..yolos import YOLOSHead
    from ..yolos_backbone import YOLOSBackbone

    embed = {'type': 'PlainPatchEmbed' if model == 'yolos' else 'MixedPatchEmbed'}
    arch = (8, depth_of(renamed, 'blocks'), 1)
    with torch.device('meta'):  # names alone: no memory, no initialisation
        backbone = YOLOSBackbone(arch, (16, 16), mid_pos_embed='backbone.mid_pos_embed' in renamed, patch_embed=embed)
        head = YOLOSHead(num_classes=1, embed_dims=8)
    names = {f'backbone.{name}' for name in backbone.state_dict()}
    return names | {f'bbox_head.{name}' for name in head.state_dict()}


def _pick_classes(renamed: dict[str, Tensor], left_out: dict[str, str]) -> None:
    """Pick mmdet's 80 + 1 rows out of COCO's 92, in place.

    Raises:
        CheckpointError: another number of rows.
    """
    rows = [*COCO_IDS, NO_OBJECT]
    for kind in ('weight', 'bias'):
        name = f'bbox_head.class_embed.layers.2.{kind}'
        value = renamed[name]
        if len(value) != NO_OBJECT + 1:
            raise CheckpointError(
                f'the classifier has {len(value)} rows, not the 92 of COCO category ids: use --keep-classes, and a '
                f'config with num_classes={len(value) - 1}'
            )
        renamed[name] = value[torch.tensor(rows)].clone()
        left_out[f'{name}, rows of ids that COCO does not use'] = ', '.join(map(str, NOT_IN_COCO))


def _start_from_deit(
    renamed: dict[str, Tensor], left_out: dict[str, str], model: str, img_size: tuple[int, int], det_tokens: int
) -> None:
    """Give a classifier's weights detection tokens and a position table for ``img_size``, in place.

    Raises:
        CheckpointError: a position table that is not a square of patches.
    """
    weight, table = renamed['backbone.patch_embed.proj.weight'], renamed['backbone.pos_embed']
    extra = 1 + (DISTILLED in left_out.values())
    side, dims = round((table.shape[1] - extra) ** 0.5), table.shape[2]
    if side * side != table.shape[1] - extra:
        raise CheckpointError(
            f'pos_embed has {table.shape[1]} rows, which is not a square of patches plus {extra} tokens'
        )
    patches = table[:, extra:].transpose(1, 2).unflatten(2, (side, side)).float()  # (1, D, side, side)
    grid = [length // patch for length, patch in zip(img_size, weight.shape[-2:], strict=True)]
    patches = F.interpolate(patches, size=grid, mode='bicubic', align_corners=False).flatten(2).transpose(1, 2)
    tokens, places = (torch.nn.init.trunc_normal_(torch.empty(1, det_tokens, dims), std=0.02) for _ in range(2))
    renamed['backbone.det_token'] = tokens
    renamed['backbone.pos_embed'] = torch.cat([table[:, :1], patches.to(table.dtype), places], dim=1)
    if model == 'peyolos':
        for kind in ('weight', 'bias'):
            del renamed[f'backbone.patch_embed.proj.{kind}']
            left_out[f'patch_embed.proj.{kind}'] = 'PEYOLOS reads smaller patches: its embedding starts from scratch'
