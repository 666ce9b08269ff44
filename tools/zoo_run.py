"""Read what a training run of mmengine left in its work directory."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zoo_rows import LARGEST

from hii_mm.errors import UsageError

OUTSIDE = re.compile(r"'/[^']*?(data/[^']*)'")  # a data folder that was given by its whole path
TIME = re.compile(r'^(?:\d{4}/)?(\d\d/\d\d \d\d:\d\d:\d\d) - mmengine')
KEPT = ('hii_mm_scheme', 'epoch', 'iter', 'seed', 'mmengine_version')
ELSEWHERE = ('work_dir', 'launcher', 'custom_hooks', 'resume', 'load_from')  # set by the tools, not by the recipe


@dataclass(frozen=True)
class Run:
    """A run: mmengine's scalars, the config as it ran, seconds on the clock, and the day of its start."""

    scalars: list[dict[str, Any]]
    dump: str
    seconds: float
    date: str


def read_run(work_dir: Path) -> Run:
    """Return the run in a work directory: the last one if several began anew; the parts of a resumed one are joined.

    Raises:
        UsageError: a folder without a run.
    """
    parts = sorted(path.parent.parent for path in work_dir.glob('*/vis_data/scalars.json'))
    if not parts:
        raise UsageError(f'{str(work_dir)!r} holds no run of mmengine: no */vis_data/scalars.json in it')
    scalars: list[dict[str, Any]] = []
    seconds = 0.0
    for part in parts:
        new = [json.loads(line) for line in (part / 'vis_data' / 'scalars.json').read_text().splitlines()]
        first = min((line['step'] for line in new if 'loss' in line), default=0)
        before = [line for line in scalars if 'loss' in line and line['step'] < first]
        seconds = _seconds(part) + (seconds if before else 0.0)
        scalars = before + new
    dump = OUTSIDE.sub(r"'\1'", (parts[-1] / 'vis_data' / 'config.py').read_text(encoding='utf-8'))
    dump = ''.join(line for line in dump.splitlines(keepends=True) if not line.startswith('work_dir'))
    day = datetime.strptime(parts[-1].name[:8], '%Y%m%d').strftime('%Y-%m-%d')
    return Run(scalars, dump, seconds, day)


def _seconds(part: Path) -> float:
    """Return the time from the first to the last line of a log."""
    lines = [line for path in part.glob('*.log') for line in path.read_text(errors='replace').splitlines()]
    found = [match[1] for line in lines if (match := TIME.match(line))]
    if not found:
        return 0.0
    first, last = (datetime.strptime(f'2000/{text}', '%Y/%m/%d %H:%M:%S') for text in (found[0], found[-1]))
    return (last - first).total_seconds()


def last_checkpoint(work_dir: Path) -> Path:
    """Return the newest checkpoint of a run.

    Raises:
        UsageError: there is none.
    """
    pointer = work_dir / 'last_checkpoint'
    if not pointer.is_file():
        raise UsageError(f'file not found: {str(pointer)!r}')
    return work_dir / Path(pointer.read_text().strip()).name


def strip(checkpoint: Path, dump: str) -> tuple[bytes, dict[str, Any]]:
    """Return a checkpoint without optimiser and log as a file's bytes, and its meta.

    Raises:
        UsageError: it does not say how its images were encrypted, or is too large for the repository.
        CheckpointError: it cannot be read with ``weights_only``.
    """
    import torch

    from hii_mm.training.checkpoints import SCHEME, read_checkpoint

    found = read_checkpoint(checkpoint)
    if SCHEME not in found['meta']:
        raise UsageError(f'{str(checkpoint)!r} does not hold its scheme: train with tools/train.py')
    meta = {key: found['meta'][key] for key in KEPT if key in found['meta']}
    classes = (found['meta'].get('dataset_meta') or {}).get('classes', ())
    meta |= {'dataset_meta': {'classes': tuple(classes)}, 'cfg': dump}
    buffer = io.BytesIO()
    state = {name: value.clone() for name, value in found['state_dict'].items()}
    torch.save({'meta': meta, 'state_dict': state}, buffer)
    if buffer.tell() > LARGEST:
        raise UsageError(f'the weights take {buffer.tell()} bytes; a file of the zoo has at most {LARGEST}')
    return buffer.getvalue(), meta


def options_of(dump: str, config: Path) -> list[str]:
    """Return the settings in which a run differs from its config, as words for ``--cfg-options``."""
    from hii_mm.inference.checkpoints import config_of
    from hii_mm.training.config import read_config

    ran, mine = (_flat(cfg.to_dict()) for cfg in (config_of({'cfg': dump}, config), read_config(str(config))))
    changed = {key: value for key, value in ran.items() if mine.get(key, value) != value}
    return [f'{key}={value}' for key, value in changed.items() if key.partition('.')[0] not in ELSEWHERE]


def _flat(value: Any, name: str = '') -> dict[str, Any]:
    """Return the leaves of nested dicts and lists by their dotted names."""
    if isinstance(value, (list, tuple)):
        if not any(isinstance(part, dict) for part in value):
            return {name: list(value)}
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, part in value.items() for k, v in _flat(part, f'{name}.{key}'.lstrip('.')).items()}
