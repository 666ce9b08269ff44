"""``explore.html``: one file in which photo and setting are chosen with sliders. It loads nothing."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .build import has_picture
from .words import METRICS

PHOTOS = 8  # photos at most
SIDE = 224  # pixels, of the longer side of a picture
QUALITY = 75  # of WebP
FIGURES = ('surviving', 'ssim', 'photo', 'photo_layout', 'people', 'characters', 'faces', 'classes')
PARAMETERS = {
    'patch': 'patch, pixels',
    'mixed': 'mixed, pieces a side',
    'gap': 'gap, pixels',
    'drop': 'patches dropped',
    'orient': 'pieces turned',
    'window': 'window, patches',
    'tone': 'tone changed',
    'noise': 'noise, levels',
}


def chosen(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows to show: of the first photos, at each setting, the best recovery without suppositions.

    Args:
        data: the content of ``report.json``.
    """
    supposing = {entry['name'] for setting in data['settings'] for entry in setting['attacks'] if entry['supposing']}
    images = list(dict.fromkeys(row['image'] for row in data['results']))[:PHOTOS]
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in data['results']:
        place = row['image'], row['setting']
        if row['image'] not in images or row['attack'] in supposing:
            continue
        if place not in best or _reach(row) > _reach(best[place]):
            best[place] = row
    return list(best.values())


def explorer(data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return the HTML of the page.

    Args:
        data: the content of ``report.json``.
        pictures: PNG files by the names that ``data`` has for them, those of :func:`chosen`.
    """
    import jinja2

    loader = jinja2.PackageLoader('hii_mm.attacks.report', '')
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    rows = chosen(data)
    runs = _runs(rows)
    used = {name for run in runs.values() for name in run['pictures'].values()}
    content = {
        'photos': list(dict.fromkeys(row['image'] for row in rows)),
        'sliders': _sliders(rows),
        'settings': list({row['setting']: row.get('parameters', {}) for row in rows}.values()),
        'names': list(dict.fromkeys(row['setting'] for row in rows)),
        'runs': runs,
        'pictures': {name: _embedded(pictures[name]) for name in sorted(used)},
    }
    # '<' must not end the script; JSON has it in texts alone
    script = (
        json.dumps(content, allow_nan=False).replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')
    )
    return environment.get_template('explore.html.j2').render(content=script, report=data)


def _reach(row: Mapping[str, Any]) -> tuple[bool, float, float]:
    metrics = row['metrics']
    return has_picture(row), metrics.get('surviving', 0.0), metrics.get('ssim', 0.0)


def _sliders(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the parameters that differ between settings, each with its values in order."""
    found = []
    for name, title in PARAMETERS.items():
        values = {row.get('parameters', {}).get(name) for row in rows} - {None}
        if len(values) > 1:
            found.append(
                {
                    'name': name,
                    'title': title,
                    'values': sorted(values, key=lambda value: (isinstance(value, str), value)),
                }
            )
    return found


def _runs(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return pictures and figures by 'number of the photo/number of the setting'."""
    photos = list(dict.fromkeys(row['image'] for row in rows))
    names = list(dict.fromkeys(row['setting'] for row in rows))
    found = {}
    for row in rows:
        kinds = ('plain', 'encrypted', 'recovered', 'true places')
        shown = {kind: row['pictures'][kind] for kind in kinds if kind in row['pictures']}
        if not has_picture(row):
            shown.pop('recovered', None)
        figures = [
            [
                METRICS[name].title,
                METRICS[name].show(row['metrics'][name]),
                METRICS[name].show(row.get('ceilings', {}).get(name)),
            ]
            for name in FIGURES
            if name in row['metrics']
        ]
        place = f'{photos.index(row["image"])}/{names.index(row["setting"])}'
        found[place] = {'attack': row['attack'], 'pictures': shown, 'figures': figures}
    return found


def _embedded(png: bytes) -> str:
    """Return a picture as a data URI, WebP, at most ``SIDE`` pixels a side."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert('RGB')
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, format='WEBP', quality=QUALITY)
    return 'data:image/webp;base64,' + base64.b64encode(file.getvalue()).decode()
