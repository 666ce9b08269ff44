"""``report.html``: one file that embeds everything, loads nothing, and runs no script."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from .build import has_picture
from .words import METRICS

TITLES = {'worst': 'recovered most', 'median': 'the median image', 'best': 'recovered least'}
SHOWN = ('plain', 'encrypted', 'recovered', 'true places', 'raw')  # pictures of a run, in this order
TRUE = 'all pieces at their true places, drawn likewise'
Plots = Mapping[str, tuple[str, bytes]]  # {file name: (title, PNG)}


def page(data: Mapping[str, Any], pictures: Mapping[str, bytes], plots: Plots) -> str:
    """Return the HTML of a report.

    Args:
        data: the content of ``report.json``.
        pictures: PNG files by the names that ``data`` has for them; at least
            those that :func:`shown` lists.
        plots: to put on top, from :func:`.plots.plots`.
    """
    import jinja2

    loader = jinja2.PackageLoader('hii_mm.attacks.report', '')
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    rows = {row['key']: row for row in data['results']}
    settings = [
        {
            'name': setting['name'],
            'grade': setting['grade'],
            'attacks': [_attack(attack, rows, pictures) for attack in _ran(setting)],
        }
        for setting in data['settings']
    ]
    return environment.get_template('report.html.j2').render(
        report=data,
        about=_about(data),
        absent=[f'{judge} ({why})' for judge, why in data['judges'].items() if why],
        plots=[{'title': title, 'src': _embedded(png)} for title, png in plots.values()],
        settings=settings,
        left_out=_left_out(data),
    )


def shown(data: Mapping[str, Any]) -> list[str]:
    """Return the names of the picture files that the page shows."""
    rows = {row['key']: row for row in data['results']}
    attacks = [attack for setting in data['settings'] for attack in _ran(setting)]
    examples = [row for attack in attacks for _, row in _examples(attack, rows)]
    return list(dict.fromkeys(name for row in examples for name in row['pictures'].values()))


def _ran(setting: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [attack for attack in setting['attacks'] if attack['status'] != 'not run']


def _about(data: Mapping[str, Any]) -> str:
    """Return when, with what, on how many images."""
    count = len({row['image'] for row in data['results']})
    images = f'{count} image{"s" * (count != 1)}'
    return '; '.join([f'{data["created"]}, hii_mm {data["hii_mm"]}, {images}', str(data['mode']), *_machine(data)])


def _machine(data: Mapping[str, Any]) -> list[str]:
    """Return what the seconds are of."""
    if 'machine' not in data:
        return []
    threads = data['threads']
    return [f'CPU seconds on {data["machine"]}, {threads} thread{"s" * (threads != 1)} each']


def _attack(attack: Mapping[str, Any], rows: Mapping[str, Any], pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what the template shows of one attack."""
    return {
        **{field: attack[field] for field in ('name', 'verdict', 'reasons', 'source', 'cost')},
        'table': _table(attack),
        'examples': [_figures(title, row, attack['main'], pictures) for title, row in _examples(attack, rows)],
    }


def _table(attack: Mapping[str, Any]) -> dict[str, Any]:
    """Return mean, ceiling, floors, interval and worst decile of each figure, as text."""
    floors, lines = list(attack['floors']), []
    for name, metric in METRICS.items():
        found = attack['metrics'].get(name, {})
        if found.get('count'):
            cells = [metric.show(found['mean']), metric.show(attack['ceilings'].get(name))]
            cells += [metric.show(attack['floors'][floor].get(name)) for floor in floors]
            interval = f'{metric.show(found["low"])} to {metric.show(found["high"])}'
            lines.append([metric.title, *cells, interval, metric.show(found['worst_decile'])])
    return {'head': ['figure', 'mean', 'at true places', *floors, '95 % interval', 'worst tenth'], 'lines': lines}


def _examples(attack: Mapping[str, Any], rows: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return (title, row) of the images to show.

    None if all that was recovered is the encrypted pictures as they are, which
    the other attacks show anyway.
    """
    chosen: dict[str, str] = {}
    for kind, title in TITLES.items():
        chosen.setdefault(attack['examples'][kind], title)
    examples = [(title, rows[key]) for key, title in chosen.items()]
    if any(has_picture(row) or 'recovered' not in row['pictures'] for _, row in examples):
        return examples
    return []


def _figures(title: str, row: Mapping[str, Any], main: str | None, pictures: Mapping[str, bytes]) -> list[Any]:
    """Return the pictures of one run with their captions: plain, encrypted, recovered and so on."""
    value = row['metrics'].get(main) if main else None
    figure = f', {METRICS[main].title} {METRICS[main].show(value)}' if main and value is not None else ''
    captions = {'plain': 'plain', 'encrypted': 'encrypted', 'recovered': f'recovered: {title}, {row["image"]}{figure}'}
    captions |= {'raw': 'recovered, before anything was filled or unmixed', 'true places': TRUE}
    labels = _labels(row['facts'])
    if labels:
        captions['encrypted'] = f'encrypted, {row["image"]}; read as: {labels}'
    return [
        {'caption': captions[kind], 'src': _embedded(pictures[row['pictures'][kind]])}
        for kind in SHOWN
        if kind in row['pictures']
    ]


def _labels(facts: Mapping[str, Any]) -> str:
    """Return the labels that an attack read, if its facts hold ``labels`` as [[label, share], ...]."""
    try:
        return ', '.join(f'{label} {share:.0%}' for label, share in facts.get('labels', ()))
    except (TypeError, ValueError):
        return ''


def _left_out(data: Mapping[str, Any]) -> Sequence[str]:
    """Return one line for everything that did not run or could not be read."""
    lines = [
        f'{row["setting"]}: {row["attack"]}, {row["runs"]} time{"s" * (row["runs"] != 1)}: {row["reason"]}'
        for row in data['not_run']
    ]
    return lines + [f'left out: {line}' for line in data['skipped_files']]


def _embedded(png: bytes) -> str:
    return 'data:image/png;base64,' + base64.b64encode(png).decode()
