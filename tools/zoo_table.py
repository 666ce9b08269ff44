"""Write docs/data/zoo.json, which the tables of the zoo are generated from: metafiles, logs, seeds and attacks."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import zoo_speed
from frontier_settings import OWN
from zoo_rows import PLAIN, ROOT, Row, read_rows

from hii_mm.files import write_atomically

DATA = 'docs/data'
ATTACKED = (  # where a setting was attacked: file, set of pictures, and what the table calls them
    ('zoo_attacks', 'fashion-mnist', 'Fashion-MNIST'),
    ('audit', 'gcompris', 'photographs'),
    ('audit', 'noise-gcompris', 'photographs'),
    ('audit', 'small-gcompris', 'photographs'),
    ('audit', 'tone-gcompris', 'photographs'),
    ('audit', 'scenes', 'scenes'),
    ('audit', 'sweep', 'scenes'),
)
FOUND = (  # metrics of which the best attack counts, and how the table says it
    (('surviving',), '{:.0%} of neighbours'),
    (('photo', 'photo_layout'), '{:.0%} of photos named'),
)
NOT_ATTACKS = ('linkage', 'bag')  # a ceiling, and a measure without pictures


def write(root: Path = ROOT) -> int:
    """Write docs/data/zoo.json and renew the tables of all pages; return the exit code."""
    rows = read_rows(root)
    dates = [str(row.metadata['Date']) for row in rows if row.measured]
    head = {
        'command': 'python tools/zoo.py table',
        'date': max(dates, default='2026-11-28'),
        'machine': 'the machine that each row names',
    }
    lines = ',\n'.join(f'  {json.dumps(row)}' for row in table_rows(rows, root))
    text = json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + lines + '\n ]\n}\n'
    write_atomically(root / DATA / 'zoo.json', text.encode())
    return subprocess.run([sys.executable, str(root / 'tools/docs/tables.py')]).returncode


def table_rows(rows: list[Row], root: Path = ROOT) -> list[dict[str, Any]]:
    """Return what docs/data/zoo.json holds of the rows."""
    attacks = {name: _read(root, name) for name, _, _ in ATTACKED}
    seeds, speed = _seeds(root), zoo_speed.read(root)
    return [
        {
            'name': row.name,
            'config': row.config,
            'data': row.metadata['Training Data'],
            'images': row.metadata['Protection'],
            'status': row.metadata['Status'],
            **({'metrics': row.metrics, 'log': row.log} if row.measured else {}),
            **({'epochs': _epochs(row), 'time': _time(row, speed.get(row.name))} if row.measured else {}),
            **({'weights': row.weights} if row.weights else {}),
            **({'seeds': seeds[row.name]} if row.name in seeds else {}),
            **({'paper': row.metadata['Paper Figure']} if 'Paper Figure' in row.metadata else {}),
            'back': back(row.metadata['Protection'], attacks),
        }
        for row in rows
    ]


def back(setting: str, attacks: dict[str, list[dict[str, Any]]]) -> str:
    """Return what the best attack of each kind gets back of a setting, in words; 'not attacked' if none was run.

    Args:
        setting: the label of a scheme, or 'plain'.
        attacks: the rows of docs/data/NAME.json by NAME.
    """
    if setting == PLAIN:
        return 'everything is seen'
    for name, pictures, words in ATTACKED:
        found = [row for row in attacks[name] if (row['set'], row['setting']) == (pictures, setting)]
        said = [text for metrics, form in FOUND if (text := _best(found, metrics, form))]
        if said:
            return f'{", ".join(said)} ({words})'
    return 'not attacked'


def _best(rows: list[dict[str, Any]], metrics: tuple[str, ...], form: str) -> str:
    """Return the highest mean of some metrics over attacks and the copy as it is; '' where none has it."""
    attacks = [row['metrics'] for row in rows if row['attack'] not in NOT_ATTACKS]
    values = [found[name]['mean'] for found in attacks for name in metrics if name in found]
    return form.format(max(values)) if values else ''


def _read(root: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((root / DATA / f'{name}.json').read_text(encoding='utf-8'))['rows']
    return rows


def _seeds(root: Path) -> dict[str, str]:
    """Return mean, deviation and number of the runs with several seeds, by the config's stem."""
    runs: dict[str, list[float]] = {}
    for row in _read(root, 'fashion_mnist'):
        runs.setdefault(Path(row['config']).stem, []).extend(row['seeds'])
    for row in _read(root, 'fashion_det'):
        runs.setdefault(Path(row['config']).stem, []).append(row['AP'])
    for row in _read(root, 'frontier'):
        if row['setting'] in OWN:
            stem, longer = Path(OWN[row['setting']]).stem, row['longer']
            runs[stem] = row['seeds']
            if longer:
                runs[stem.replace(f'-{row["epochs"]}e_', f'-{longer["epochs"]}e_')] = longer['seeds']
    return {
        stem: f'{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} ({len(values)} seeds)'
        for stem, values in runs.items()
        if len(values) > 1
    }


def _epochs(row: Row) -> str:
    ran, planned = row.metadata['Epochs'], row.metadata['Epochs Planned']
    return str(ran) if ran == planned else f'{ran} of {planned}'


def _time(row: Row, speed: int | None) -> str:
    """Return the training time, the machine, and the images a second if they were measured."""
    time = f'{row.metadata["Training Time (s)"] / 60:.0f} min on {row.metadata["Machine"]}'
    return time if speed is None else f'{time}; {speed} images a CPU second'
