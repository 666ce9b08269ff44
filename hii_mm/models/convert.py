"""Weights of others, renamed for mmpretrain's VisionTransformer and for PEViT.

Source layouts: timm's names as in the released PEViT and DeiT checkpoints
(https://github.com/facebookresearch/deit), and Hugging Face's ViT and DeiT
(transformers ``models/vit``, ``models/deit``).
"""

import argparse
import pickle
import re
from dataclasses import dataclass, field

import torch

POSITION = 'position embedding: PEViT has none'
DISTILLED = 'distillation token and head: the target has none'
POOLER = 'pooler: the target has none'

# (pattern, new name | None to leave out, why it is left out)
TIMM = [
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
HF_REST = [  # what follows a layer's number in Hugging Face's names, and in timm's
    (r'layernorm_before\.(weight|bias)', r'norm1.\2'),
    (r'layernorm_after\.(weight|bias)', r'norm2.\2'),
    (r'attention\.attention\.(query|key|value)\.(weight|bias)', r'attn.\2.\3'),
    (r'attention\.output\.dense\.(weight|bias)', r'attn.proj.\2'),
    (r'intermediate\.dense\.(weight|bias)', r'mlp.fc1.\2'),
    (r'output\.dense\.(weight|bias)', r'mlp.fc2.\2'),
]
MMPRETRAIN = {'norm1': 'ln1', 'norm2': 'ln2', 'mlp.fc1': 'ffn.layers.0.0', 'mlp.fc2': 'ffn.layers.1'}


def _mmpretrain(name):
    """Timm's name of a part of a layer as mmpretrain's."""
    part, _, rest = name.partition('.\\')
    return '.\\'.join([MMPRETRAIN.get(part, part), rest])


HF_EMBED = r'(?:vit\.|deit\.)?embeddings\.'
HUGGING_FACE = [
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


class CheckpointError(ValueError):
    """A file that is no checkpoint, or one whose keys are not what they should be."""


@dataclass
class Converted:
    """A converted checkpoint.

    Attributes:
        state_dict: ours, with ``backbone.`` and ``head.`` names.
        layout: what the source was, in words.
        left_out: ``{source key: why}``.
    """

    state_dict: dict
    layout: str
    left_out: dict = field(default_factory=dict)


def read_checkpoint(path):
    """The tensors of a checkpoint file, ``{name: tensor}``.

    Takes .safetensors files and torch files, either bare or with the tensors
    under 'model' or 'state_dict'. No code in the file is run.

    Raises:
        CheckpointError: it is no such file.
    """
    content = _load(path)
    for key in ('model', 'state_dict'):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f'{path} holds a {type(content).__name__}, not a dict of tensors')
    strange = [key for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise CheckpointError(f'{path} is no dict of tensors: {listed(strange)} is something else')
    return {re.sub(r'^module\.', '', key): value for key, value in content.items()}


def _load(path):
    """The content of a torch or .safetensors file; no code in it is run."""
    try:
        if str(path).endswith('.safetensors'):
            from safetensors.torch import load_file

            content = load_file(path)
        else:
            with torch.serialization.safe_globals([argparse.Namespace]):
                content = torch.load(path, map_location='cpu', weights_only=True)
    except ImportError as error:
        raise CheckpointError(f'{path}: reading .safetensors needs: pip install safetensors') from error
    except OSError as error:
        raise CheckpointError(f'{path}: {error.strerror or error}') from error
    except (RuntimeError, EOFError, KeyError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        said = str(error).strip().splitlines()
        raise CheckpointError(
            f'{path} is no checkpoint that can be read safely: {said[0] if said else error!r}'
        ) from error
    except Exception as error:
        if type(error).__name__ != 'SafetensorError':
            raise
        raise CheckpointError(f'{path} is no safetensors file: {error}') from error
    return content


def convert_vit(source, model):
    """Rename a classifier's weights for mmpretrain's ImageClassifier.

    Args:
        source: ``{name: tensor}`` as :func:`read_checkpoint` gives it.
        model: ``'pevit'`` or ``'vit'`` (with position embedding).

    Returns:
        Converted

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
    missing = sorted(_expected(renamed, model) - set(renamed))
    if missing:
        raise CheckpointError(f'{layout} checkpoint lacks, in the names of {model}: {listed(missing)}')
    extra = sorted(set(renamed) - _expected(renamed, model))
    if extra:
        raise CheckpointError(f'{layout} checkpoint has what {model} has not: {listed(extra)}')
    return Converted(renamed, layout, left_out)


def _layout(source):
    """(words, rules) for the layout of a checkpoint."""
    if any(key.startswith(('backbone.layers.', 'backbone.ln1')) for key in source):
        raise CheckpointError('this is an mmpretrain checkpoint already: load it as it is')
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


def rename(source, layout, rules):
    """(renamed tensors with query, key and value joined, left-out keys with their reasons).

    Raises:
        CheckpointError: keys that no rule knows; all of them are listed.
    """
    renamed, left_out, unknown = {}, {}, []
    for key, value in source.items():
        for pattern, name, why in rules:
            match = re.fullmatch(pattern, key)
            if match is None:
                continue
            if name is None:
                left_out[key] = why
            else:
                renamed[match.expand(name)] = value
            break
        else:
            unknown.append(key)
    if unknown:
        raise CheckpointError(f'{layout} checkpoint with unknown keys: {listed(unknown)}')
    _join_qkv(renamed)
    return renamed, left_out


def _join_qkv(renamed):
    """Join query, key and value, where they are apart, into one (3 D, ...) tensor, in place."""
    for key in [key for key in renamed if '.attn.query.' in key]:
        names = [key.replace('.query.', f'.{part}.') for part in ('query', 'key', 'value')]
        if all(name in renamed for name in names):
            renamed[key.replace('.query.', '.qkv.')] = torch.cat([renamed.pop(name) for name in names])


def _expected(renamed, model):
    """All names that a model of this depth has."""
    layers = {int(match[1]) for key in renamed if (match := re.match(r'backbone\.layers\.(\d+)\.', key))}
    both = ('weight', 'bias')
    names = [
        'backbone.cls_token',
        *(f'{part}.{kind}' for part in ('backbone.ln1', 'head.layers.head') for kind in both),
    ]
    names += [f'backbone.patch_embed.projection.{kind}' for kind in both]
    parts = ('ln1', 'ln2', 'attn.qkv', 'attn.proj', 'ffn.layers.0.0', 'ffn.layers.1')
    names += [
        f'backbone.layers.{i}.{part}.{kind}'
        for i in range(max(layers, default=0) + 1)
        for part in parts
        for kind in both
    ]
    if model == 'vit':
        names.append('backbone.pos_embed')
    elif any(key.startswith(('backbone.reference', 'backbone.ref_encoding')) for key in renamed):
        names += ['backbone.reference', *(f'backbone.ref_encoding.{i}.{kind}' for i in (0, 2) for kind in both)]
    return set(names)


def listed(keys, most=12):
    """Keys as one line, the first ``most`` of them."""
    return ', '.join(keys[:most]) + (f' and {len(keys) - most} more' if len(keys) > most else '')
