"""Convert classifiers' weights for mmpretrain's VisionTransformer and for PEViT.

Source layouts: timm's names as in the released PEViT and DeiT checkpoints
(https://github.com/facebookresearch/deit), and Hugging Face's ViT and DeiT
(transformers ``models/vit``, ``models/deit``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ...errors import CheckpointError
from .checkpoint import DISTILLED, POOLER, Converted, Rule, check_names, depth_of, listed, rename

POSITION = 'position embedding: PEViT has none'

TIMM: list[Rule] = [
    (r'cls_token', r'backbone.cls_token', ''),
    (r'pos_embed', r'backbone.pos_embed', ''),
    (r'reference', r'backbone.reference', ''),
    (r'ref_encoding\.([02])\.(weight|bias)', r'backbone.ref_encoding.\1.\2', ''),
    (r'patch_embed\.proj\.(weight|bias)', r'backbone.patch_embed.projection.\1', ''),
    (r'blocks\.(\d+)\.norm([12])\.(weight|bias)', r'backbone.layers.\1.ln\2.\3', ''),
    (r'blocks\.(\d+)\.attn\.(qkv|proj)\.(weight|bias)', r'backbone.layers.\1.attn.\2.\3', ''),
    (r'blocks\.(\d+)\.mlp\.fc1\.(weight|bias)', r'backbone.layers.\1.ffn.layers.0.0.\2', ''),
    (r'blocks\.(\d+)\.mlp\.fc2\.(weight|bias)', r'backbone.layers.\1.ffn.layers.1.\2', ''),
    (r'norm\.(weight|bias)', r'backbone.ln1.\1', ''),
    (r'head\.(weight|bias)', r'head.layers.head.\1', ''),
    (r'dist_token|head_dist\.(weight|bias)', None, DISTILLED),
]
HF_BLOCK = r'(?:vit\.|deit\.)?encoder\.layer\.(\d+)\.'
HF_REST = [  # parts of a layer: in Hugging Face's names, and in timm's
    (r'layernorm_before\.(weight|bias)', r'norm1.\2'),
    (r'layernorm_after\.(weight|bias)', r'norm2.\2'),
    (r'attention\.attention\.(query|key|value)\.(weight|bias)', r'attn.\2.\3'),
    (r'attention\.output\.dense\.(weight|bias)', r'attn.proj.\2'),
    (r'intermediate\.dense\.(weight|bias)', r'mlp.fc1.\2'),
    (r'output\.dense\.(weight|bias)', r'mlp.fc2.\2'),
]
MMPRETRAIN = {'norm1': 'ln1', 'norm2': 'ln2', 'mlp.fc1': 'ffn.layers.0.0', 'mlp.fc2': 'ffn.layers.1'}


def _mmpretrain(name: str) -> str:
    """Return mmpretrain's name of a part of a layer from timm's."""
    part, _, rest = name.partition('.\\')
    return '.\\'.join([MMPRETRAIN.get(part, part), rest])


HF_EMBED = r'(?:vit\.|deit\.)?embeddings\.'
HUGGING_FACE: list[Rule] = [
    (HF_EMBED + r'cls_token', r'backbone.cls_token', ''),
    (HF_EMBED + r'position_embeddings', r'backbone.pos_embed', ''),
    (HF_EMBED + r'patch_embeddings\.projection\.(weight|bias)', r'backbone.patch_embed.projection.\1', ''),
    *((HF_BLOCK + theirs, r'backbone.layers.\1.' + _mmpretrain(timm), '') for theirs, timm in HF_REST),
    (r'(?:vit\.|deit\.)?layernorm\.(weight|bias)', r'backbone.ln1.\1', ''),
    (r'(?:cls_)?classifier\.(weight|bias)', r'head.layers.head.\1', ''),
    (HF_EMBED + r'distillation_token|distillation_classifier\.(weight|bias)', None, DISTILLED),
    (HF_EMBED + r'mask_token', None, 'mask token: used in pre-training only'),
    (r'(?:vit\.|deit\.)?pooler\.dense\.(weight|bias)', None, POOLER),
]


def convert_vit(source: Mapping[str, Tensor], model: str) -> Converted:
    """Rename a classifier's weights for mmpretrain's ImageClassifier.

    Args:
        source: ``{name: tensor}`` as :func:`.checkpoint.read_checkpoint` returns it.
        model: 'pevit' or 'vit' (with position embedding).

    Raises:
        CheckpointError: an unknown layout, or unknown or missing keys; all of
            them are listed.
    """
    layout, rules = _layout(source)
    renamed, left_out = rename(source, layout, rules)
    position = renamed.get('backbone.pos_embed')
    if model == 'pevit' and position is not None:
        left_out[next(key for key in source if key.endswith(('pos_embed', 'position_embeddings')))] = POSITION
        del renamed['backbone.pos_embed']
    elif position is not None and DISTILLED in left_out.values():
        renamed['backbone.pos_embed'] = torch.cat((position[:, :1], position[:, 2:]), dim=1)
    check_names(renamed, _expected(renamed, model), layout, model)
    return Converted(renamed, layout, left_out)


def _expected(renamed: Mapping[str, Tensor], model: str) -> set[str]:
    """Return the names of all parameters of a model of this depth."""
    from mmpretrain.models import VisionTransformer, VisionTransformerClsHead

    from ..pevit import PEViT

    arch = dict(embed_dims=8, num_layers=depth_of(renamed, 'layers'), num_heads=1, feedforward_channels=8)
    reference = any(key.startswith(('backbone.reference', 'backbone.ref_encoding')) for key in renamed)
    with torch.device('meta'):  # names alone: no memory, no initialisation
        backbone = PEViT(arch, reference_encoding=reference) if model == 'pevit' else VisionTransformer(arch)
        head = VisionTransformerClsHead(num_classes=2, in_channels=8)
    return {f'backbone.{name}' for name in backbone.state_dict()} | {f'head.{name}' for name in head.state_dict()}


def _layout(source: Mapping[str, Tensor]) -> tuple[str, list[Rule]]:
    """Return the name and the rules of a checkpoint's layout.

    Raises:
        CheckpointError: an unknown layout.
    """
    if any(key.startswith(('backbone.layers.', 'backbone.ln1')) for key in source):
        raise CheckpointError('this is already an mmpretrain checkpoint: load it as it is')
    if 'patch_embed.proj.weight' in source:
        if 'pos_embed' not in source:
            return 'PEViT, with reference encoding' if 'reference' in source else 'PEViT', TIMM
        return 'distilled DeiT' if 'dist_token' in source else 'DeiT', TIMM
    if any(re.fullmatch(HF_EMBED + 'cls_token', key) for key in source):
        return 'Hugging Face ' + ('DeiT' if any(key.startswith('deit.') for key in source) else 'ViT'), HUGGING_FACE
    raise CheckpointError(
        'unknown layout: neither PEViT or DeiT (patch_embed.proj.weight) nor Hugging Face ViT or DeiT '
        f'(embeddings.cls_token); it has {listed(sorted(source))}'
    )
