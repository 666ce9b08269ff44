"""Rows of docs/data/content.json: shares with Wilson's intervals, from results, from the audit and from bags."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hii_mm import Scheme
from hii_mm.attacks.evaluation import judge_classes, judges
from hii_mm.attacks.evaluation.photos import load_pictures, picture_files
from hii_mm.attacks.evaluation.summary import summary

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / 'data' / 'gcompris'
SIDE = 224
SETS = ('gcompris', 'noise-gcompris', 'small-gcompris')  # of docs/data/audit.json: the same photographs
Row = dict[str, Any]


def share(values: Sequence[float]) -> list[float]:
    """Return the mean of values, the ends of its 95 % interval, and their number.

    Wilson's interval of values that are 0 or 1; of others, a bootstrap over the pictures.
    """
    mean, count = float(np.mean(values)), len(values)
    if set(values) <= {0.0, 1.0}:
        return [*(round(x, 4) for x in (mean, *wilson(mean, count))), count]
    found = summary(values)
    return [*(round(float(found[key] or 0), 4) for key in ('mean', 'low', 'high')), count]


def wilson(mean: float, count: int) -> tuple[float, float]:
    """Return Wilson's interval of 95 % of a share that was seen in ``count`` trials."""
    z = 1.959964
    middle = (mean + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(mean * (1 - mean) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def rows_of(out: Path, sets: Sequence[str], attacks: Mapping[str, str]) -> list[Row]:
    """Return a row for each set and preset that was measured: ``{look: {metric: share}}`` under 'looks'."""
    rows = []
    for name in sets:
        for preset, attack in {'plain': '', **attacks}.items():
            results = [json.loads(path.read_text()) for path in sorted((out / name / preset).glob('*.json'))]
            if not results:
                continue
            seconds = [result.pop('seconds', 0) for result in results]
            looks = {
                look: {metric: share([r[look][metric] for r in results]) for metric in results[0][look]}
                for look in results[0]
            }
            row = {'set': name, 'preset': preset, 'attack': attack, 'pictures': len(results)}
            control = looks.pop('control', None)
            rows.append(row | {'looks': looks} | ({'seconds': round(float(np.mean(seconds)), 2)} if attack else {}))
            if control is not None:
                rows.append(row | {'preset': 'another picture', 'looks': {'encrypted': control}})
    return rows


def scene_rows(attacks: Mapping[str, str]) -> list[Row]:
    """Return a row for each preset from docs/data/audit.json: class and photo retrieval, the best attack of each.

    Raises:
        ValueError: a share that is not a number of photographs, since other photographs are here than were measured.
    """
    audit = json.loads((ROOT / 'docs' / 'data' / 'audit.json').read_text(encoding='utf-8'))['rows']
    files = picture_files([PHOTOS / 'test'])
    sure = [judge_classes.label(photo)[1] >= judges.SURE for photo in load_pictures(files, SIDE)[0].values()]
    rows = []
    for preset in attacks:
        label = Scheme.preset(preset).label
        known = [r for r in audit if r['setting'] == label and r['set'] in SETS]
        known = [r for r in known if r['attack'] not in ('identity', 'linkage') and 'photo' in r['metrics']]
        images = known[0]['images']
        counts = {'photo': images, 'classes': sum(sure)}
        looks: dict[str, Any] = {'encrypted': {}, 'recovered': {}, 'true places': {}}
        for metric, count in counts.items():
            best = max(known, key=lambda row: row['metrics'][metric]['mean'])
            found = {'encrypted': best['floors']['encrypted'], 'true places': best['ceilings']}
            values = {look: parts.get(metric) for look, parts in found.items()}
            values['recovered'] = best['metrics'][metric]['mean']
            for look, value in values.items():
                if value is not None:
                    looks[look][metric] = counted(value, count)
        rows.append({'set': 'scenes', 'preset': preset, 'attack': attacks[preset], 'pictures': images, 'looks': looks})
    return rows


def counted(value: float, count: int) -> list[float]:
    """Return a share of a number of photographs with its interval."""
    hits = value * count
    if abs(hits - round(hits)) > 0.01:
        raise ValueError(f'{value} is no share of {count} photographs: run tools/audit.py again')
    return [round(value, 4), *(round(end, 4) for end in wilson(value, count)), count]


def bag_rows(out: Path, attacks: Mapping[str, str]) -> list[Row]:
    """Return a row for each preset: kinds named from pieces in no order, trained on one half, tested on the other."""
    sys.path.insert(0, str(ROOT / 'benchmarks'))
    import bag

    learn, test = (bag.photos(PHOTOS / part, SIDE) for part in ('learn', 'test'))
    rows, most = [], bag.majority(test[1])
    out.mkdir(parents=True, exist_ok=True)
    for preset in attacks:
        path = out / f'bag-{preset}.json'
        if not path.is_file():
            path.write_text(json.dumps([float(hit) for hit in bag.right(Scheme.preset(preset), learn, test)]))
        values = json.loads(path.read_text())
        rows.append({'set': 'bag', 'preset': preset, 'attack': 'bag', 'pictures': len(values),
                     'looks': {'recovered': {'kind': share(values)}}, 'majority': round(most, 4)})  # fmt: skip
    return rows
