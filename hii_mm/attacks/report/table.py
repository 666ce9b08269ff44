"""The figures of a report as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .words import METRICS

_SHARES = ('surviving', 'component', 'perfect', 'named')
_JUDGED = ('photo', 'photo_layout', 'faces', 'people', 'characters', 'classes')  # with floor and ceiling
_LIKENESS = ('psnr', 'ssim')


def summary_table(data: Mapping[str, Any]) -> str:
    """Return one line for each setting and attack that ran.

    Args:
        data: the content of ``report.json``; only ``settings`` is read.
    """
    titles = [METRICS[metric].title for metric in _SHARES] + ['PSNR (encrypted)', 'SSIM (encrypted)']
    judged = [metric for metric in _JUDGED if any(_cell(entry, metric) for entry in _ran(data))]
    titles += [f'{METRICS[metric].title} (encrypted, at true places)' for metric in judged]
    columns = ['setting', 'attack', *titles, 'solver found / truth', 'CPU s an image']
    lines = ['| ' + ' | '.join(columns) + ' |', '|---' * len(columns) + '|']
    for setting in data['settings']:
        for attack in setting['attacks']:
            if attack['status'] != 'not run':
                lines.append('| ' + ' | '.join([setting['name'], *_cells(attack, judged)]) + ' |')
    return '\n'.join(lines)


def _ran(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = [attack for setting in data['settings'] for attack in setting['attacks']]
    return [attack for attack in entries if attack['status'] != 'not run']


def _cells(attack: Mapping[str, Any], judged: Sequence[str]) -> list[str]:
    """Return the cells of one attack."""
    cells = [attack['name'], *(_cell(attack, metric) for metric in _SHARES)]
    for metric in _LIKENESS:
        floor = attack['floors'].get('encrypted', {}).get(metric)
        cells.append(_cell(attack, metric) + (f' ({METRICS[metric].show(floor)})' if floor is not None else ''))
    for metric in judged:
        show = METRICS[metric].show
        ends = [attack['floors'].get('encrypted', {}).get(metric), attack['ceilings'].get(metric)]
        said = ', '.join(show(end) or '-' for end in ends)
        cells.append(f'{_cell(attack, metric)} ({said})' if _cell(attack, metric) else '')
    search = attack['search']
    cells.append('' if search is None else f'{search["found"]:.0f} / {search["truth"]:.0f}')
    return [*cells, f'{attack["seconds"]["mean"]:.2f}']


def _cell(attack: Mapping[str, Any], metric: str) -> str:
    """Return mean and worst tenth of a metric, '' if it was not measured."""
    found = attack['metrics'].get(metric)
    if not found or not found['count']:
        return ''
    show = METRICS[metric].show
    return f'{show(found["mean"])}, worst tenth {show(found["worst_decile"])}'
