"""Lint the zoo: metafiles, logs, weights, and what the weights answer on images of the repository."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zoo_add import config_path
from zoo_rows import CONFIG_ONLY, LARGEST, LARGEST_TOGETHER, MEASURED, ROOT, SUMS, Row, read_log, read_sums

from hii_mm.errors import HiiError
from hii_mm.files import sha256_file


def problems(rows: list[Row], root: Path = ROOT) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong with the rows, their logs and the files of weights."""
    for name, count in Counter(row.name for row in rows).items():
        if count > 1:
            yield f'{name}: {count} rows of this name'
    named = {row.config for row in rows}
    for path in sorted(root.glob('configs/*/*.py')):
        config = path.relative_to(root).as_posix()
        if not config.startswith('configs/_base_/') and config not in named:
            yield f'{config}: no row; add one: python tools/zoo.py add {path.stem}'
    for row in rows:
        yield from (f'{row.name}: {problem}' for problem in (*_of_row(row, root), *_of_log(row, root)))
    yield from _of_files(rows, root)


def _of_row(row: Row, root: Path) -> Iterator[str]:
    """Yield what is wrong with the fields of a row."""
    try:
        if config_path(row.name, root).relative_to(root).as_posix() != row.config:
            yield f'the name is not that of {row.config}'
    except HiiError as error:
        yield str(error)
    if not (root / row.config).is_file():
        yield f'file not found: {row.config}'
    status = row.metadata.get('Status')
    if status not in (MEASURED, CONFIG_ONLY):
        yield f"Status must be '{MEASURED}' or '{CONFIG_ONLY}', got {status!r}"
    for name in ('Training Data', 'Protection'):
        if not row.metadata.get(name):
            yield f'{name!r} is missing'
    if status == CONFIG_ONLY and (row.metrics or row.weights or row.log):
        yield "has figures, weights or a log, so its Status must be 'measured'"
    if status == MEASURED and not (row.metrics and row.log):
        yield 'lacks figures or a log'


def _of_log(row: Row, root: Path) -> Iterator[str]:
    """Yield in what a row differs from its log."""
    if not row.log:
        return
    try:
        log = read_log(root / row.log)
    except HiiError as error:
        yield str(error)
        return
    if row.metrics != log.figures():
        yield f'figures are {row.metrics}, the log says {log.figures()}'
    told = {'config': row.config, 'name': row.name, 'epochs': row.metadata.get('Epochs')}
    told |= {'machine': row.metadata.get('Machine'), 'date': str(row.metadata.get('Date'))}
    for name, value in told.items():
        if log.head.get(name) != value:
            yield f'{name} is {value!r}, the log says {log.head.get(name)!r}'


def _of_files(rows: list[Row], root: Path) -> Iterator[str]:
    """Yield what is wrong with the files of weights and their checksums."""
    sums, folder = read_sums(root), root / 'zoo' / 'weights'
    files = {f'weights/{path.name}': path for path in folder.glob('*')}
    wanted = {row.weights.removeprefix('zoo/') for row in rows if row.weights}
    for name in sorted(wanted | files.keys() | sums.keys()):
        if name not in files:
            yield f'zoo/{name}: file not found'
        elif name not in sums:
            yield f'zoo/{name}: not in {SUMS}'
        elif sha256_file(files[name])[0] != sums[name]:
            yield f'zoo/{name}: its SHA-256 is not that of {SUMS}'
        elif name not in wanted:
            yield f'zoo/{name}: no row names it'
        elif files[name].stat().st_size > LARGEST:
            yield f'zoo/{name}: {files[name].stat().st_size} bytes, at most {LARGEST} are allowed'
    together = sum(path.stat().st_size for path in (root / 'zoo').rglob('*') if path.is_file())
    if together > LARGEST_TOGETHER:
        yield f'zoo/: {together} bytes, at most {LARGEST_TOGETHER} are allowed'
