"""The figures of a report as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .words import METRICS

_SHARES = ('surviving', 'component', 'perfect', 'named')
_LIKENESS = ('psnr', 'ssim')


def summary_table(data: Mapping[str, Any]) -> str:
    """Return one line for each setting and attack that ran.

    Args:
        data: the content of ``report.json``; only ``settings`` is read.
    """
    titles = [METRICS[metric].title for metric in _SHARES] + ['PSNR (encrypted)', 'SSIM (encrypted)']
    columns = ['setting', 'attack', *titles, 's an image']
    lines = ['| ' + ' | '.join(columns) + ' |', '|---' * len(columns) + '|']
    for setting in data['settings']:
        for attack in setting['attacks']:
            if attack['status'] != 'not run':
                lines.append('| ' + ' | '.join([setting['name'], *_cells(attack)]) + ' |')
    return '\n'.join(lines)


def _cells(attack: Mapping[str, Any]) -> list[str]:
    """Return the cells of one attack."""
    cells = [attack['name'], *(_cell(attack, metric) for metric in _SHARES)]
    for metric in _LIKENESS:
        floor = attack['floors'].get('encrypted', {}).get(metric)
        cells.append(_cell(attack, metric) + (f' ({METRICS[metric].show(floor)})' if floor is not None else ''))
    return [*cells, f'{attack["seconds"]["mean"]:.2f}']


def _cell(attack: Mapping[str, Any], metric: str) -> str:
    """Return mean and worst tenth of a metric, '' if it was not measured."""
    found = attack['metrics'].get(metric)
    if not found or not found['count']:
        return ''
    show = METRICS[metric].show
    return f'{show(found["mean"])}, worst tenth {show(found["worst_decile"])}'
