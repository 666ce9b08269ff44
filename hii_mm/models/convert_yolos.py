"""Weights of YOLOS and PEYOLOS, renamed for our detectors; DeiT's as their start.

Source layouts: the released YOLOS (https://github.com/hustvl/YOLOS) and PEYOLOS
checkpoints, Hugging Face's YolosForObjectDetection, and the released DeiT.
"""

import re

import torch
import torch.nn.functional as F

from .convert import DISTILLED, HF_REST, CheckpointError, Converted, listed, rename

# COCO's 80 categories by id: the rows of the released 92 logits that mmdet's 80 classes are, in mmdet's order.
NOT_IN_COCO = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_IDS = tuple(i for i in range(91) if i not in NOT_IN_COCO)
NO_OBJECT = 91

RELEASED = [
    (r'backbone\.(cls_token|det_token|pos_embed|mid_pos_embed|norm\.(?:weight|bias))', r'backbone.\1', ''),
    (r'backbone\.patch_embed\.((?:proj|proj_siat|proj_siat_embed)\.(?:weight|bias))', r'backbone.patch_embed.\1', ''),
    (
        r'backbone\.(blocks\.\d+\.(?:norm1|norm2|attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)\.(?:weight|bias))',
        r'backbone.\1',
        '',
    ),
    (r'((?:class|bbox)_embed\.layers\.[012]\.(?:weight|bias))', r'bbox_head.\1', ''),
]
DEIT = [
    (r'(cls_token|pos_embed|norm\.(?:weight|bias))', r'backbone.\1', ''),
    (r'patch_embed\.proj\.(weight|bias)', r'backbone.patch_embed.proj.\1', ''),
    (RELEASED[2][0].removeprefix(r'backbone\.'), r'backbone.\1', ''),
    (r'head\.(weight|bias)', None, 'classifier: detection starts with heads of its own'),
    (r'dist_token|head_dist\.(weight|bias)', None, DISTILLED),
]
HUGGING_FACE = [
    (r'vit\.embeddings\.cls_token', r'backbone.cls_token', ''),
    (r'vit\.embeddings\.detection_tokens', r'backbone.det_token', ''),
    (r'vit\.embeddings\.position_embeddings', r'backbone.pos_embed', ''),
    (r'vit\.encoder\.mid_position_embeddings', r'backbone.mid_pos_embed', ''),
    (r'vit\.embeddings\.patch_embeddings\.projection\.(weight|bias)', r'backbone.patch_embed.proj.\1', ''),
    *((rf'vit\.encoder\.layer\.(\d+)\.{theirs}', rf'backbone.blocks.\1.{ours}', '') for theirs, ours in HF_REST),
    (r'vit\.layernorm\.(weight|bias)', r'backbone.norm.\1', ''),
    (r'class_labels_classifier\.(layers\.[012]\.(?:weight|bias))', r'bbox_head.class_embed.\1', ''),
    (r'bbox_predictor\.(layers\.[012]\.(?:weight|bias))', r'bbox_head.bbox_embed.\1', ''),
    (r'vit\.pooler\.dense\.(weight|bias)', None, 'pooler: the target has none'),
]


def convert_yolos(source, model, keep_classes=False, img_size=(512, 864), det_tokens=100):
    """Rename a detector's weights for our YOLOS or PEYOLOS.

    Args:
        source: ``{name: tensor}`` as ``read_checkpoint`` gives it.
        model: ``'yolos'`` or ``'peyolos'``.
        keep_classes: leave the classifier's rows; else 92 rows, COCO's
            category ids 0..90 and 91 for 'no object', become mmdet's 80 + 1.
        img_size: (h, w) in pixels of the config's position table; a DeiT's is
            resized to it.
        det_tokens: detection tokens of the config; a DeiT has none, theirs
            start at random.

    Returns:
        Converted

    Raises:
        CheckpointError: an unknown layout, or unknown or missing keys; all of
            them are listed.
    """
    layout, rules = _layout(source)
    renamed, left_out = rename(source, layout, rules)
    expected = _expected(renamed, model)
    if rules is DEIT:
        expected = {key for key in _expected(renamed, 'yolos') if not key.startswith('bbox_head.')}
        expected.discard('backbone.det_token')
    missing, extra = sorted(expected - set(renamed)), sorted(set(renamed) - expected)
    if missing or extra:
        parts = [f'lacks {listed(missing)}'] * bool(missing) + [f'has {listed(extra)}, unknown to it'] * bool(extra)
        raise CheckpointError(f'{layout} checkpoint, in the names of {model}: {"; ".join(parts)}')
    if rules is DEIT:
        _start_from_deit(renamed, left_out, model, img_size, det_tokens)
    elif not keep_classes:
        _pick_classes(renamed, left_out)
    return Converted(renamed, layout, left_out)


def _layout(source):
    """(words, rules) for the layout of a checkpoint."""
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


def _expected(renamed, model):
    """All names that a model of this depth has."""
    layers = {int(match[1]) for key in renamed if (match := re.match(r'backbone\.blocks\.(\d+)\.', key))}
    embed = ('proj',) if model == 'yolos' else ('proj_siat', 'proj_siat_embed')
    parts = [f'backbone.patch_embed.{name}' for name in embed] + ['backbone.norm']
    block = ('norm1', 'norm2', 'attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2')
    parts += [f'backbone.blocks.{i}.{name}' for i in range(max(layers, default=0) + 1) for name in block]
    parts += [f'bbox_head.{head}_embed.layers.{i}' for head in ('class', 'bbox') for i in range(3)]
    names = {f'{part}.{kind}' for part in parts for kind in ('weight', 'bias')}
    tokens = {f'backbone.{name}' for name in ('cls_token', 'det_token', 'pos_embed')}
    return names | tokens | ({'backbone.mid_pos_embed'} & set(renamed))


def _pick_classes(renamed, left_out):
    """Pick mmdet's 80 + 1 rows out of COCO's 92, in place."""
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


def _start_from_deit(renamed, left_out, model, img_size, det_tokens):
    """Give a classifier's weights detection tokens and a position table for ``img_size``, in place."""
    weight, table = renamed['backbone.patch_embed.proj.weight'], renamed['backbone.pos_embed']
    extra = 1 + (DISTILLED in left_out.values())
    side, dims = round((table.shape[1] - extra) ** 0.5), table.shape[2]
    if side * side != table.shape[1] - extra:
        raise CheckpointError(f'pos_embed has {table.shape[1]} rows: no square of patches and {extra} token(s)')
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
