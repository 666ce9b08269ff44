"""Read, rename and write the tensors of checkpoint files."""

from __future__ import annotations

import argparse
import os
import pickle
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...errors import CheckpointError

Rule = tuple[str, str | None, str]  # pattern, new name or None to leave out, why it is left out
DISTILLED = 'distillation token and head: the target has none'
POOLER = 'pooler: the target has none'


@dataclass
class Converted:
    """A converted checkpoint.

    Attributes:
        state_dict: of our model.
        layout: of the source, in words.
        left_out: ``{source key: why}``.
    """

    state_dict: dict[str, Tensor]
    layout: str
    left_out: dict[str, str] = field(default_factory=dict)


def read_checkpoint(path: str) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint file.

    No code in the file is run.

    Args:
        path: of a .safetensors file, or of a torch file that holds the
            tensors directly or under 'model' or 'state_dict'.

    Returns:
        ``{name: tensor}``.

    Raises:
        CheckpointError: not such a file.
    """
    content = _load(path)
    for key in ('model', 'state_dict'):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise CheckpointError(
            f'{path} is not a checkpoint: expected a dict of tensors, found a {type(content).__name__}'
        )
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strange:
        raise CheckpointError(f'{path} is not a checkpoint: {listed(strange)} is not a tensor')
    return {re.sub(r'^module\.', '', key): value for key, value in content.items()}


def _load(path: str) -> Any:
    """Return the content of a torch or .safetensors file.

    Raises:
        CheckpointError: the file cannot be read safely.
    """
    try:
        if str(path).endswith('.safetensors'):
            from safetensors.torch import load_file

            return load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location='cpu', weights_only=True)
    except ImportError as error:
        raise CheckpointError(f'{path}: .safetensors files need: pip install safetensors') from error
    except OSError as error:
        raise CheckpointError(f'{path}: {error.strerror or error}') from error
    except (RuntimeError, EOFError, KeyError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        said = str(error).strip().splitlines()
        raise CheckpointError(
            f'{path} is not a checkpoint that can be read safely: {said[0] if said else error!r}'
        ) from error
    except Exception as error:
        if type(error).__name__ != 'SafetensorError':
            raise
        raise CheckpointError(f'{path} is not a safetensors file: {error}') from error


def write_checkpoint(content: Mapping[str, Any], path: str) -> None:
    """Write a torch file atomically; its folder is made."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    partial = f'{path}.part'
    torch.save(dict(content), partial)
    os.replace(partial, path)


def rename(
    source: Mapping[str, Tensor], layout: str, rules: Sequence[Rule]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Rename tensors, and join query, key and value where they are apart.

    Args:
        source: ``{name: tensor}``.
        layout: of the source, for the error.
        rules: the first that matches a whole name is used.

    Returns:
        The renamed tensors, and the source keys that were left out with the reasons.

    Raises:
        CheckpointError: keys that match no rule; all of them are listed.
    """
    renamed: dict[str, Tensor] = {}
    left_out: dict[str, str] = {}
    unknown: list[str] = []
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


def _join_qkv(renamed: dict[str, Tensor]) -> None:
    """Join query, key and value, where they are apart, into one (3 D, ...) tensor, in place."""
    for key in [key for key in renamed if '.attn.query.' in key]:
        names = [key.replace('.query.', f'.{part}.') for part in ('query', 'key', 'value')]
        if all(name in renamed for name in names):
            renamed[key.replace('.query.', '.qkv.')] = torch.cat([renamed.pop(name) for name in names])


def check_names(renamed: Iterable[str], expected: Iterable[str], layout: str, model: str) -> None:
    """Check that a renamed checkpoint has exactly the parameters of the model.

    Raises:
        CheckpointError: all missing and all unexpected names.
    """
    missing, extra = sorted(set(expected) - set(renamed)), sorted(set(renamed) - set(expected))
    parts = [f'lacks {listed(missing)}'] * bool(missing) + [f'has {listed(extra)}, unknown to it'] * bool(extra)
    if parts:
        raise CheckpointError(f'{layout} checkpoint, in the names of {model}: {"; ".join(parts)}')


def depth_of(renamed: Iterable[str], layers: str) -> int:
    """Return the number of layers, from names such as ``backbone.<layers>.11.norm1.weight``."""
    numbers = [int(match[1]) for key in renamed if (match := re.match(rf'backbone\.{layers}\.(\d+)\.', key))]
    return max(numbers, default=0) + 1


def listed(keys: Sequence[str], most: int = 12) -> str:
    """Return keys as one line: the first ``most`` of them, and how many more there are."""
    return ', '.join(keys[:most]) + (f' and {len(keys) - most} more' if len(keys) > most else '')
