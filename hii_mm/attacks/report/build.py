"""From results to the content of ``report.json``: figures with their floors, and verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ... import __version__
from ..attackers import attack_class
from ..evaluation import judges
from ..evaluation.store import Row
from ..evaluation.summary import summary
from ..evaluation.sweep import Sweep
from .grade import graded, sentence
from .words import CAVEAT, comparison, verdict

FORMAT, VERSION = 'hii-mm attack report', 2
RANKING = ('neighbour', 'psnr', 'ssim')  # the first that was measured ranks images


def build(
    rows: Sequence[Row], not_run: Sequence[Row], about: Mapping[str, Any], sweep: Sweep | None = None
) -> dict[str, Any]:
    """Return the report as a dict that JSON can hold; its fields are in docs/reference/report_format.md.

    Args:
        rows: results of :class:`..evaluation.runner.Runner`; of equal ones the last counts.
        not_run: what it left out, with reasons.
        about: command, mode, created, seed and so on.
        sweep: the schemes along each parameter.
    """
    rows = list({row['key']: row for row in rows}.values())  # a sweep may pass one scheme twice
    names = list(dict.fromkeys([row['setting'] for row in rows] + [row['setting'] for row in not_run]))
    settings = [_setting(name, rows, not_run) for name in names]
    return {
        'format': FORMAT,
        'version': VERSION,
        'verdict': sentence(settings),
        'hii_mm': __version__,
        **about,
        'caveat': CAVEAT,
        'judges': judges.available(),
        'settings': settings,
        'not_run': _grouped(not_run),
        'results': rows,
        'sweep': _curves(settings, sweep or {}),
    }


def _setting(name: str, rows: Sequence[Row], not_run: Sequence[Row]) -> dict[str, Any]:
    """Return everything about one scheme, named by its label."""
    here = [row for row in rows if row['setting'] == name]
    left = [row for row in not_run if row['setting'] == name]
    entries = {}
    for attack in dict.fromkeys(row['attack'] for row in [*here, *left]):
        own = [row for row in here if row['attack'] == attack]
        entries[attack] = _attack(attack, own, [row for row in left if row['attack'] == attack])
    for attack, entry in entries.items():
        against = comparison(entry, entries.get(attack_class(attack).beside))
        entry['verdict'] += f' {against}' if against else ''
    setting = {
        'name': name,
        'parameters': here[0].get('parameters', {}) if here else {},
        'floors': _floors(here),
        'ceilings': _ceilings(here),
        'attacks': list(entries.values()),
    }
    return {**setting, 'grade': graded(setting)}


def _attack(name: str, rows: Sequence[Row], left: Sequence[Row]) -> dict[str, Any]:
    """Return one attack on one scheme: what ran, its figures, and the verdict."""
    attack = attack_class(name)
    entry: dict[str, Any] = {
        'name': name,
        'source': attack.source,
        'cost': attack.cost,
        'supposing': attack.supposing,
        'status': 'not run' if not rows else 'partly run' if left else 'run',
        'reasons': sorted({row['reason'] for row in left}),
        'images': len({row['image'] for row in rows}),
        'runs': len(rows),
    }
    if not rows:
        return {**entry, 'verdict': f'{name} was not run: {"; ".join(entry["reasons"])}.'}
    metrics = list(dict.fromkeys(metric for row in rows for metric in row['metrics']))
    entry['metrics'] = {metric: _summary(rows, [row['metrics'].get(metric) for row in rows]) for metric in metrics}
    entry |= {field: _summary(rows, [row[field] for row in rows]) for field in ('seconds', 'confidence')}
    entry |= {'floors': _floors(rows), 'ceilings': _ceilings(rows), 'search': _search(rows)}
    entry |= {field: _summary(rows, [row.get(field) for row in rows])['mean'] for field in ('dropped', 'missing')}
    entry['facts'] = attack.summarise([row['facts'] for row in rows])
    entry['recovered'] = sum(has_picture(row) for row in rows)
    entry['truth'] = sum('plain' in row['pictures'] for row in rows)
    entry['main'] = next((metric for metric in (attack.main, *RANKING) if metric in metrics), None)
    entry['examples'] = _examples(rows, entry['main'])
    entry['verdict'] = verdict(attack, entry)
    return entry


def has_picture(row: Mapping[str, Any]) -> bool:
    """Return whether an attack recovered a picture that is not the encrypted one."""
    pictures = row['pictures']
    return pictures.get('recovered') not in (None, pictures['encrypted'])


def _summary(rows: Sequence[Row], values: Sequence[float | None]) -> dict[str, Any]:
    return summary(values, images=[row['image'] for row in rows])


def _examples(rows: Sequence[Row], metric: str | None) -> dict[str, str]:
    """Return the keys of the worst, median and best image for the owner; the first run of each image counts."""
    value: Callable[[Row], float] = lambda row: row['metrics'].get(metric, 0) if metric else row['confidence']  # noqa: E731
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row['image'], row)
    ranked = sorted(first.values(), key=value)
    return {'worst': ranked[-1]['key'], 'median': ranked[len(ranked) // 2]['key'], 'best': ranked[0]['key']}


def _floors(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return ``{floor: {metric: mean}}`` of all rows."""
    found = {}
    for floor in dict.fromkeys(name for row in rows for name in row['floors']):
        metrics = dict.fromkeys(metric for row in rows for metric in row['floors'].get(floor, {}))
        found[floor] = {m: _summary(rows, [r['floors'].get(floor, {}).get(m) for r in rows])['mean'] for m in metrics}
    return found


def _ceilings(rows: Sequence[Row]) -> dict[str, Any]:
    """Return ``{metric: mean}`` with all pieces at their true places."""
    metrics = dict.fromkeys(metric for row in rows for metric in row.get('ceilings', {}))
    return {m: _summary(rows, [row.get('ceilings', {}).get(m) for row in rows])['mean'] for m in metrics}


def _search(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return the mean values of the truth and of what was found under an attack's scores, None without any."""
    known = [row for row in rows if row.get('search')]
    if not known:
        return None
    means = {name: _summary(known, [row['search'][name] for row in known])['mean'] for name in ('truth', 'found')}
    below = sum(row['search']['found'] < row['search']['truth'] for row in known)
    return {**means, 'below': below / len(known)}


def _grouped(not_run: Sequence[Row]) -> list[dict[str, Any]]:
    """Return one entry for each setting, attack and reason, with the number of runs."""
    count = Counter((row['setting'], row['attack'], row['reason']) for row in not_run)
    return [{'setting': s, 'attack': a, 'reason': why, 'runs': n} for (s, a, why), n in count.items()]


def _curves(settings: Sequence[Mapping[str, Any]], sweep: Sweep) -> list[dict[str, Any]]:
    """Return the means of each attack along each parameter of a sweep."""
    by_name = {setting['name']: setting for setting in settings}
    found = []
    for parameter, values in sweep.items():
        lines: dict[str, list[dict[str, Any]]] = {}
        for value, scheme in values:
            for attack in by_name.get(scheme.label, {'attacks': ()})['attacks']:
                if attack['status'] != 'not run':
                    means = {metric: summed['mean'] for metric, summed in attack['metrics'].items()}
                    point = {'value': value, 'setting': scheme.label, 'metrics': means}
                    lines.setdefault(attack['name'], []).append(point)
        found += [{'parameter': parameter, 'attack': attack, 'points': points} for attack, points in lines.items()]
    return found
