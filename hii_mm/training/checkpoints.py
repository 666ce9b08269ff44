"""What a checkpoint says of the images that its model was trained on, and what of it does not fit a run.

Importing this module imports neither torch nor mm packages.
"""

from __future__ import annotations

import importlib
import os
import re
import zipfile
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encryption import Scheme
from ..errors import CheckpointError, HiiError, MissingPackageError
from ..files import StrPath

if TYPE_CHECKING:
    from torch import nn

SCHEME = 'hii_mm_scheme'  # key of the meta: the steps of the scheme as in a pipeline; [] for plain images
_FIELDS = {
    'PatchMixup': ('patch_size', 'grid', 'remainder'),
    'PatchShuffle': ('patch_size', 'gap', 'drop_ratio', 'orient', 'window', 'remainder'),
}
_POSITIONS = re.compile(
    r'(^|[._])(pos_embed|pos_embedding|position_embeddings?|positional_embedding|relative_position_bias_table'
    r'|absolute_pos_embed|rel_pos_[hw])$'
)
_SHOWN = 3  # names in a message


def steps_as_config(scheme: Scheme | None) -> list[dict[str, Any]]:
    """Return a scheme as the transforms of a pipeline: parameters alone, no seed, key or id of a data set.

    ``tone`` is named only if it is true, and ``noise`` only if it is not 0.

    >>> steps_as_config(Scheme(16, strategy='mixup'))
    [{'type': 'PatchMixup', 'patch_size': [16, 16], 'grid': 2, 'remainder': 'error'}]
    """
    found = []
    for step in scheme.steps if scheme else ():
        name = 'PatchMixup' if step is scheme.mixup else 'PatchShuffle'  # type: ignore[union-attr]
        values = {field: getattr(step, field) for field in _FIELDS[name]}
        values |= {name: value for name in ('tone', 'noise') if (value := getattr(step, name, None))}
        found.append({'type': name, **values, 'patch_size': list(step.patch_size)})
    return found


def scheme_of_meta(meta: Mapping[str, Any]) -> Scheme | None:
    """Return the scheme in the meta of a checkpoint, None for plain images or where it says nothing.

    Raises:
        CheckpointError: not what :func:`steps_as_config` returns.
    """
    steps = meta.get(SCHEME)
    if not steps:
        return None
    try:
        return Scheme.from_config([{**step, 'patch_size': tuple(step['patch_size'])} for step in steps])
    except (HiiError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise CheckpointError(f'the scheme in the checkpoint cannot be read: {error}') from None


def scheme_of_checkpoint(path: StrPath) -> Scheme | None:
    """Return the scheme of the images that a checkpoint's model was trained on.

    None stands for plain images, and for checkpoints that were written without
    the hook ``CheckEncryption``: those have no 'hii_mm_scheme' in their meta.

    Raises:
        CheckpointError: a file that is missing, or no checkpoint of weights and plain values.
        MissingPackageError: torch is not installed.
    """
    return scheme_of_meta(read_checkpoint(path)['meta'])


def read_checkpoint(path: StrPath) -> dict[str, Any]:
    """Read a checkpoint that mmengine wrote; no code in it is run, and weights stay on disk until they are used.

    Returns:
        With at least 'meta' (a dict) and 'state_dict'.

    Raises:
        CheckpointError: a file that is missing, or no checkpoint of weights and plain values.
        MissingPackageError: torch is not installed.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise CheckpointError(f'checkpoint not found: {name!r}')
    try:
        import torch
    except ImportError:
        raise MissingPackageError(
            "a checkpoint is read with torch, which is not installed. Run: pip install 'hii-mm[onedl]'"
        ) from None
    allowed = _log_buffers()
    before = torch.serialization.get_safe_globals()
    try:
        with torch.serialization.safe_globals(allowed):
            found = torch.load(name, map_location='cpu', weights_only=True, mmap=zipfile.is_zipfile(name))
    except OSError as error:
        raise CheckpointError(f'checkpoint {name!r} cannot be read: {error.strerror or error}') from None
    except Exception as error:  # torch raises almost anything for a file of another kind
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f'{name!r} is not a checkpoint of weights and plain values: {first}') from None
    finally:
        torch.serialization.add_safe_globals(before)  # safe_globals forgets those that were there already
    if not isinstance(found, dict) or not isinstance(found.get('state_dict'), Mapping):
        raise CheckpointError(f'{name!r} is not a checkpoint that mmengine wrote: it has no state_dict')
    return {**found, 'meta': dict(found.get('meta') or {})}


def _log_buffers() -> list[Any]:
    """Return the classes that mmengine's log in a checkpoint consists of; none where mmengine is not installed."""
    from .. import compat

    try:
        compat.prepare()
        from mmengine.logging.history_buffer import HistoryBuffer
    except ImportError:
        return []
    arrays = importlib.import_module('numpy._core.multiarray' if hasattr(np, '_core') else 'numpy.core.multiarray')
    dtypes = {type(np.dtype(t)) for t in (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)}
    plain = [HistoryBuffer, np.ndarray, np.dtype, slice, arrays._reconstruct, arrays.scalar, *dtypes]

    def statistic(kind: type, name: str) -> Any:
        if kind is not HistoryBuffer or name.startswith('_'):
            raise CheckpointError(f'a checkpoint asks for the attribute {name!r} of {kind!r}')
        return getattr(kind, name)

    return [*plain, (statistic, 'builtins.getattr')]  # the log names its statistics in this way


def position_problems(model: nn.Module, state: Collection[str]) -> list[str]:
    """Return one sentence for position embeddings that either a model or a checkpoint lacks.

    Args:
        model: that the checkpoint is loaded into.
        state: names of the parameters in the checkpoint. Nothing is said where none of them is the model's.
    """
    mine, theirs = set(model.state_dict()), {name.removeprefix('module.') for name in state}
    if not mine & theirs:
        return []
    kind = type(getattr(model, 'backbone', model)).__name__
    found = []
    if extra := _positions(theirs - mine):
        found.append(
            f'the checkpoint holds a position embedding ({extra}), but {kind} has none: its weights expect positions, '
            'and mmengine would drop them. To start from such weights all the same, convert the checkpoint: '
            'python tools/model_converters/to_hii.py SRC DST --model pevit'
        )
    if missing := _positions(mine - theirs):
        found.append(
            f'{kind} adds a position embedding ({missing}), but the checkpoint has none, as those of PEViT: it would '
            "stay random. Use the model that it was trained as, such as type='PEViT'"
        )
    return found


def _positions(names: set[str]) -> str:
    """Return the names of position embeddings, the first few of them."""
    found = sorted(name for name in names if _POSITIONS.search(name))
    return ', '.join(found[:_SHOWN]) + (f' and {len(found) - _SHOWN} more' if len(found) > _SHOWN else '')
