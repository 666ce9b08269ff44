"""The rows of the zoo: model-index.yml, configs/*/metafile.yml, and the logs and weights in zoo/."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hii_mm.errors import UsageError
from hii_mm.files import sha256_file, write_atomically

ROOT = Path(__file__).resolve().parents[1]
CONFIG_ONLY, MEASURED = 'config only', 'measured'
PLAIN = 'plain'
SUMS = 'zoo/SHA256SUMS'
LARGEST, LARGEST_TOGETHER = 5_000_000, 60_000_000  # bytes of a file of weights, and of all
METRICS = {  # of a log: the name in a metafile, and how many of its units 1.0 is
    'accuracy/top1': ('Top 1 Accuracy', 1),
    'coco/bbox_mAP': ('box AP', 100),
    'coco/bbox_mAP_50': ('box AP50', 100),
    'coco/bbox_mAP_75': ('box AP75', 100),
}


@dataclass
class Row:
    """One model of a metafile; paths are relative to the repository."""

    name: str
    metafile: str
    config: str
    collection: str
    metadata: dict[str, Any] = field(default_factory=dict)
    dataset: str = ''
    metrics: dict[str, float] = field(default_factory=dict)
    weights: str | None = None

    @property
    def measured(self) -> bool:
        """Whether the row was trained here."""
        return self.metadata.get('Status') == MEASURED

    @property
    def log(self) -> str | None:
        """The path of the training log, if any."""
        return self.metadata.get('Log')


@dataclass(frozen=True)
class Log:
    """A training log: a head, and mmengine's scalars."""

    head: dict[str, Any]
    scalars: list[dict[str, Any]]

    def figures(self) -> dict[str, float]:
        """Return the figures of the last evaluation by their names in a metafile, with two decimals."""
        last = next((line for line in reversed(self.scalars) if METRICS.keys() & line.keys()), {})
        return {name: round(last[key] * unit, 2) for key, (name, unit) in METRICS.items() if key in last}


def read_rows(root: Path = ROOT) -> list[Row]:
    """Return the rows of all metafiles that model-index.yml names, in its order.

    Raises:
        UsageError: a file that is missing or lacks a field.
    """
    try:
        index = yaml.safe_load((root / 'model-index.yml').read_text(encoding='utf-8'))
        return [row for metafile in index['Import'] for row in _rows_of(root, metafile)]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UsageError(f'the model index cannot be read: {type(error).__name__}: {error}') from None


def _rows_of(root: Path, metafile: str) -> list[Row]:
    content = yaml.safe_load((root / metafile).read_text(encoding='utf-8'))
    return [_row(entry, metafile) for entry in content['Models']]


def _row(entry: dict[str, Any], metafile: str) -> Row:
    result = (entry.get('Results') or [{}])[0]
    return Row(
        name=entry['Name'],
        metafile=metafile,
        config=entry['Config'],
        collection=entry['In Collection'],
        metadata=entry['Metadata'],
        dataset=result.get('Dataset', ''),
        metrics=result.get('Metrics', {}),
        weights=entry.get('Weights'),
    )


def find_row(rows: list[Row], name: str) -> Row:
    """Return the row of a name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    found = [row for row in rows if row.name == name]
    if not found:
        raise UsageError(f'the zoo has no row {name!r}; its rows: {", ".join(row.name for row in rows)}')
    return found[0]


def read_log(path: Path) -> Log:
    """Read a log: a line of json for the head, and one for each of mmengine's scalars.

    Raises:
        UsageError: the file is missing or is no such log.
    """
    try:
        head, *scalars = map(json.loads, path.read_text(encoding='utf-8').splitlines())
        if 'config' in head:
            return Log(head, scalars)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f'log {str(path)!r} cannot be read: {error}') from None
    raise UsageError(f'log {str(path)!r} does not begin with a head that names its config')


def write_log(path: Path, log: Log) -> None:
    """Write a log atomically, see :func:`read_log`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ''.join(json.dumps(line) + '\n' for line in (log.head, *log.scalars)).encode())


def read_sums(root: Path = ROOT) -> dict[str, str]:
    """Return the SHA-256 of each file of weights by its path in zoo/; nothing where the list is missing."""
    path = root / SUMS
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    return {name: digest for digest, name in (line.split('  ', 1) for line in lines)}


def write_sums(root: Path = ROOT) -> None:
    """Write zoo/SHA256SUMS for all files of weights, as sha256sum does."""
    files = sorted((root / 'zoo' / 'weights').glob('*.pth'))
    lines = [f'{sha256_file(path)[0]}  {os.path.relpath(path, root / "zoo")}\n' for path in files]
    write_atomically(root / SUMS, ''.join(lines).encode())
