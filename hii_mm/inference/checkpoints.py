"""What a checkpoint says of itself: its config, the scheme that it was trained on, its classes.

Owners run checkpoints that trainers give them. So weights are loaded with
``weights_only``, and the config in a checkpoint is read as data: it runs no code.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from ..encryption import Scheme
from ..errors import CheckpointError, HiiError
from ..files import StrPath
from ..training.checkpoints import SCHEME, position_problems, read_checkpoint, scheme_of_meta
from ..training.manifest_check import copies
from .steps import ENCRYPTING

if TYPE_CHECKING:
    from torch import nn


def read_meta(path: StrPath) -> dict[str, Any]:
    """Return the meta of a checkpoint that mmengine wrote.

    Raises:
        CheckpointError: it cannot be read, or is of another kind.
    """
    meta: dict[str, Any] = read_checkpoint(path)['meta']
    return meta


def check_positions(model: nn.Module, path: StrPath, strict: bool) -> None:
    """Refuse weights of a model with a position embedding for one without, and the other way round.

    Both load without an error, and the model then predicts at random.

    Args:
        model: that the weights were loaded into.
        path: of the checkpoint.
        strict: False warns instead.

    Raises:
        CheckpointError: they do not fit.
    """
    problems = position_problems(model, read_checkpoint(path)['state_dict'])
    if problems and strict:
        raise CheckpointError(f'{os.fspath(path)!r}: {"; ".join(problems)}')
    for problem in problems:
        warnings.warn(f'{os.fspath(path)!r}: {problem}', stacklevel=3)


def config_of(meta: Mapping[str, Any], path: StrPath) -> Config:
    """Return the config in the meta of a checkpoint.

    Raises:
        CheckpointError: there is none, or it is more than plain values.
    """
    text = meta.get('cfg')
    if not isinstance(text, str):
        raise CheckpointError(f'{os.fspath(path)!r} holds no config: name the config too')
    try:
        return Config({target: _value(node) for target, node in _assignments(text)})
    except (SyntaxError, ValueError) as error:
        raise CheckpointError(f'{os.fspath(path)!r} holds a config that is not plain values: {error}') from None


def scheme_of(meta: Mapping[str, Any], cfg: Config) -> Scheme | None:
    """Return the scheme that a model was trained on, None for plain pictures or where nothing says it.

    Args:
        meta: of its checkpoint.
        cfg: its config: the training pipeline, or the manifest of the copy that it was trained on, tells
            where the meta does not.
    """
    if SCHEME in meta:
        return scheme_of_meta(meta)
    loader = cfg.get('train_dataloader') or cfg.get('test_dataloader') or {}
    if any(name in str(loader) for name in ENCRYPTING):
        return Scheme.from_config(loader)
    try:
        return next((copy.scheme for copy in copies(loader)), None)
    except HiiError:
        return None


def loading_steps(cfg: Config) -> list[Any]:
    """Return the steps of a config that load a picture for a test.

    Those of its test loader, else of its validation loader, else ``test_pipeline``.

    Raises:
        CheckpointError: it has none of them.
    """
    for name in ('test_dataloader', 'val_dataloader'):
        if cfg.get(name):
            return cfg[name].dataset.pipeline
    if not cfg.get('test_pipeline'):
        raise CheckpointError(
            'the config has no test_dataloader, no val_dataloader and no test_pipeline, so nothing says how a picture '
            'is loaded: add test_pipeline = [...] to the config, and name it beside the checkpoint'
        )
    return cfg.test_pipeline


def _assignments(text: str) -> list[tuple[str, ast.expr]]:
    """Return the names and values of a module that holds nothing but assignments."""
    found = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            raise ValueError(f'line {node.lineno} is not an assignment')
        found.append((node.targets[0].id, node.value))
    return found


def _value(node: ast.expr) -> Any:
    """Return a value of literals, lists, tuples, dicts and ``dict(...)``."""
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id != 'dict' or len(node.args) > 1:
            raise ValueError(f'line {node.lineno} calls {ast.unparse(node.func)!r}')
        first = _value(node.args[0]) if node.args else {}
        return {**first, **{keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg}}
    if isinstance(node, ast.Dict):
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values) if key is not None}
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        values = [_value(each) for each in node.elts]
        return values if isinstance(node, ast.List) else tuple(values) if isinstance(node, ast.Tuple) else set(values)
    return ast.literal_eval(node)


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def read_config(path: StrPath) -> Config:
    """Return the config of a file.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is Python code, and may raise anything
        raise CheckpointError(f'config {os.fspath(path)!r} cannot be read: {_first(error)}') from None
