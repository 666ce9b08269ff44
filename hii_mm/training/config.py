"""Prepare the config of a run, as tools/train.py and tools/test.py need it."""

from __future__ import annotations

import os
import os.path as osp
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import compat
from ..errors import UsageError
from .distributed import join_group

if TYPE_CHECKING:
    from mmengine.config import Config


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """Parse ``key=value`` words as mmengine's ``DictAction`` does.

    Args:
        words: such as ``['model.backbone.patch_size=8', 'a.b=[1,2]']``.

    Returns:
        ``{dotted key: value}``, for ``Config.merge_from_dict``.

    Raises:
        UsageError: a word without '='.
    """
    from mmengine.config import DictAction

    wrong = [word for word in words if '=' not in word]
    if wrong:
        raise UsageError(f'--cfg-options must be key=value, got {wrong[0]!r}')
    found = SimpleNamespace()
    DictAction('--cfg-options', 'options', nargs='+')(None, found, list(words))
    options: dict[str, Any] = found.options
    return options


def read_config(path: str, options: Sequence[str] = ()) -> Config:
    """Read a config file and apply overrides.

    Args:
        path: of the file, or ``'mmdet::...'`` as mmengine accepts it.
        options: ``key=value`` words, see :func:`parse_options`.

    Raises:
        UsageError: no such file, or a wrong option.
        StackError: no usable set of mm packages is installed.
    """
    compat.prepare()
    from mmengine.config import Config

    if '::' not in path and not osp.isfile(path):
        raise UsageError(f'config file not found: {path!r}')
    cfg = Config.fromfile(path)
    if options:
        cfg.merge_from_dict(parse_options(options))
    return cfg


def run_config(
    path: str,
    *,
    loaders: Sequence[str],
    work_dir: str | None = None,
    options: Sequence[str] = (),
    launcher: str = 'none',
    local_rank: int = 0,
) -> Config:
    """Read a config, check its data, add :class:`.hooks.CheckEncryption`, and join the process group.

    Args:
        path: of the config file.
        loaders: of 'train', 'val', 'test': the data that the run will read.
        work_dir: where logs and checkpoints go; None takes the config's, or
            ``work_dirs/<name of the config>``.
        options: ``key=value`` words that override the config.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        local_rank: of this process on its machine; read where ``launcher`` is 'none'.

    Returns:
        The config, for mmengine's ``Runner.from_cfg``.

    Raises:
        UsageError: a missing file, a wrong option or launcher.
        StackError: no usable set of mm packages is installed.
    """
    cfg = read_config(path, options)
    if launcher == 'none':
        os.environ.setdefault('LOCAL_RANK', str(local_rank))
    cfg.launcher = launcher
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(path))[0])
    join_group(cfg, launcher)
    check_annotations(cfg, loaders)
    hooks = list(cfg.get('custom_hooks') or [])
    if not any(str(hook['type']).strip("'>").endswith('CheckEncryption') for hook in hooks if 'type' in hook):
        hooks.append(dict(type='hii_mm.CheckEncryption'))
    cfg.custom_hooks = hooks
    return cfg


def check_annotations(cfg: Config, loaders: Sequence[str]) -> None:
    """Check that the annotation files of a config's data sets exist.

    Args:
        cfg: of the run.
        loaders: of 'train', 'val', 'test'.

    Raises:
        UsageError: a file is missing; names the file and the setting.
    """
    for part in loaders:
        for place, dataset in _datasets(f'{part}_dataloader.dataset', (cfg.get(f'{part}_dataloader') or {})):
            path, root = dataset['ann_file'], dataset.get('data_root') or ''
            if '://' in path or '://' in root:
                continue
            path = osp.join(root, path)
            if not osp.isfile(path):
                raise UsageError(f'annotation file not found: {path!r} ({place}.ann_file, below its data_root)')


def _datasets(place: str, loader: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and the config of each data set with an ``ann_file``, wrapped ones too."""
    dataset = loader.get('dataset') if isinstance(loader, dict) else None
    queue = [(place, dataset)] if isinstance(dataset, dict) else []
    while queue:
        place, dataset = queue.pop(0)
        if isinstance(dataset.get('ann_file'), str) and dataset['ann_file']:
            yield place, dataset
        inner = dataset.get('datasets') or [dataset.get('dataset')]
        queue += [(f'{place}.dataset', one) for one in inner if isinstance(one, dict)]
