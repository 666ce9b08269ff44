"""The tables of the frontier: settings with longer runs, trials of the recipe, copies, boxes, and other options."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from frontier_settings import SETTINGS
from frontier_show import exposed, rows

DETECTIONS = Path('docs/data/shuffled_det.json')
IMAGES = {  # of the rows of DETECTIONS, and the setting whose attack is theirs
    'plain': None,
    '2 x 2 sub-patches of 16-pixel patches mixed': 'mi',
    '16-pixel patches shuffled': 'rs-gap-0',
    'light-v1': 'rs-gap-2-noise-16',
}
BESIDE = ('rs-gap-2', 'rs-gap-2-noise-16', 'rs-on-mi', 'rs-gap-4')  # what other options compare with
LONGER = ('epochs', 'machine', 'date', 'seeds', 'accuracy', 'interval', 'deviation', 'share', 'curve')
Row = dict[str, Any]


def trial_rows(folder: Path) -> list[Row]:
    """Return a row for each trial, with its accuracies and what it changed, in points; the recipe as it is first."""
    runs = [json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.glob('trials/*.json'))]
    base = {run['setting']: run['accuracy'] for run in runs if run['trial'] == 'base'}
    found: dict[str, Row] = {}
    for run in sorted(runs, key=lambda run: run['trial'] != 'base'):
        setting = run['setting']
        row = found.setdefault(
            run['trial'], {key: run[key] for key in ('trial', 'change', 'epochs', 'machine', 'date')} | {'accuracy': {}}
        )
        gain = None if run['trial'] == 'base' or setting not in base else round(run['accuracy'] - base[setting], 1)
        row['accuracy'][setting] = {'percent': round(run['accuracy'], 1), 'gain': gain}
    return list(found.values())


def run_rows(folder: Path) -> list[Row]:
    """Return a row for each scheme, see :func:`.frontier_show.rows`; ``longer`` is what FOLDER/epochs-N has of it.

    ``longer`` has the most epochs that were run of a setting, and is None where there are none but the config's.
    """
    longer: dict[str, Row] = {}
    names = [path.name.removeprefix('epochs-') for path in folder.glob('epochs-*')]
    for epochs in sorted(int(name) for name in names if name.isdecimal()):  # not those on copies
        longer |= {row['setting']: {key: row[key] for key in LONGER} for row in rows(folder / f'epochs-{epochs}')}
    found = [row for row in rows(folder) if SETTINGS[row['setting']].option is None]
    return [{**row, 'longer': longer.get(row['setting'])} for row in found]


def _measured(row: Row) -> Row:
    """Return a row without the figures on photographs, which are of the scheme as the audit had it."""
    return {key: value for key, value in row.items() if not key.startswith('audit_')}


def option_rows(folder: Path) -> list[Row]:
    """Return a row for each option of :mod:`frontier_options`, beside settings that compare with them."""
    return [_measured(row) for row in rows(folder) if SETTINGS[row['setting']].option or row['setting'] in BESIDE]


def copy_rows(folder: Path) -> list[Row]:
    """Return a row for each setting of FOLDER/copies; ``before`` is what it had with the shuffle in the pipeline."""
    before = {row['setting']: row for row in rows(folder)}
    return [
        {**_measured(row), 'before': before[row['setting']]['accuracy']}
        for row in rows(folder / 'copies')
        if row['setting'] in before
    ]


def box_rows(folder: Path, detections: Path = DETECTIONS) -> list[Row]:
    """Return a row for each detector: the mean over its seeds, and the best attack on its pictures.

    Args:
        folder: with boxes/attacks/NAME.json, written by ``attack --data data/fashion-det --out FOLDER/boxes``.
        detections: the figures of the detectors.
    """
    content = json.loads(detections.read_text(encoding='utf-8'))
    groups: dict[tuple[str, str, int], list[Row]] = {}
    for run in content['rows']:
        if run['images'] in IMAGES and not run['model'].startswith('Pointing'):
            groups.setdefault((run['model'], run['images'], run['classes']), []).append(run)
    found = []
    for (model, images, classes), runs in groups.items():
        setting = IMAGES[images]
        scheme = SETTINGS[setting].built if setting else None
        row = {'model': model, 'scheme': scheme.label if scheme else 'plain', 'classes': classes}
        row |= {'epochs': runs[0]['epochs'], 'seeds': len(runs)}
        row |= {key: round(statistics.mean(run[key] for run in runs), 1) for key in ('AP', 'AP50')}
        path = folder / 'boxes' / 'attacks' / f'{setting}.json'
        row |= {key: content[key] for key in ('machine', 'date')}
        if setting and path.is_file():
            attack = json.loads(path.read_text(encoding='utf-8'))
            row |= exposed([attack]) | {'machine': f'{content["machine"]}; attacks on {attack["machine"]}'}
        found.append(row)
    return found
