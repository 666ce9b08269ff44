"""PNG plots of a report, with matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from .words import METRICS

_BARS = ('named', 'surviving', 'ssim')  # the first that was measured has the bar
_CURVES = ('surviving', 'photo', 'photo_layout', 'component', 'ssim', 'named')


def plots(data: Mapping[str, Any]) -> dict[str, tuple[str, bytes]]:
    """Draw everything that a report shows.

    Args:
        data: the content of ``report.json``.

    Returns:
        ``{file name: (title, PNG)}``.
    """
    drawn = {}
    bars = _bars(data)
    if bars is not None:
        drawn['recovered.png'] = 'What was recovered', bars
    for name, points in _learned(data).items():
        drawn[f'{name}-learning.png'] = f'{name}: learning curve', _learning(points)
    for curve in data['sweep']:
        name, title = f'{curve["attack"]}-{curve["parameter"]}.png', f'{curve["attack"]} against {curve["parameter"]}'
        drawn[name] = title, _curve(curve['points'], curve['parameter'])
    return drawn


def _bars(data: Mapping[str, Any]) -> bytes | None:
    """Draw one bar for each attack and setting: its main share with the interval; None if there are none."""
    found = []
    for setting in data['settings']:
        for attack in setting['attacks']:
            for metric in _BARS:
                values = attack.get('metrics', {}).get(metric, {})
                if values.get('count'):
                    found.append((f'{setting["name"]}: {attack["name"]} ({METRICS[metric].title})', values))
                    break
    if not found:
        return None
    figure, axes = _figure(11, 1 + 0.35 * len(found))
    means = [values['mean'] for _, values in found]
    errors = [[v['mean'] - v['low'] for _, v in found], [v['high'] - v['mean'] for _, v in found]]
    axes.barh(range(len(found)), means, xerr=errors, color='#6b8fb3', ecolor='#333333')
    axes.set_yticks(range(len(found)), [label for label, _ in found])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.set_xlabel('share recovered, mean and 95 % interval')
    return _png(figure)


def _learned(data: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    """Return the learning curve of each attack whose facts hold ``curve`` as [[step, share ranked first], ...]."""
    found: dict[str, list[list[float]]] = {}
    for setting in data['settings']:
        for attack in setting['attacks']:
            curve = attack.get('facts', {}).get('curve')
            if curve and all(isinstance(point, (list, tuple)) and len(point) == 2 for point in curve):
                found.setdefault(attack['name'], [list(map(float, point)) for point in curve])
    return found


def _learning(points: Sequence[Sequence[float]]) -> bytes:
    """Draw what an attack that learned ranks first, by training steps."""
    figure, axes = _figure(6, 3.6)
    axes.plot([step for step, _ in points], [share for _, share in points], marker='o')
    axes.set_xlabel('training steps')
    axes.set_ylabel('right neighbour ranked first')
    axes.set_ylim(0, 1.08 * max(share for _, share in points) or 1)
    axes.grid(alpha=0.3)
    return _png(figure)


def _curve(points: Sequence[Mapping[str, Any]], parameter: str) -> bytes:
    """Draw the figures of one attack along one parameter of a sweep."""
    figure, axes = _figure(6, 3.6)
    for metric in _CURVES:
        known = [point for point in points if point['metrics'].get(metric) is not None]
        if known:
            values = [point['metrics'][metric] for point in known]
            axes.plot([str(point['value']) for point in known], values, marker='o', label=METRICS[metric].title)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(parameter)
    axes.set_ylabel('recovered')
    axes.grid(alpha=0.3)
    axes.legend()
    return _png(figure)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout='constrained')
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=110)
    return file.getvalue()
