"""The table and the plot of the frontier, from the json files of its runs and attacks."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent / 'docs'))

from collect import dump
from frontier_settings import SETTINGS, VIT

from hii_mm.presets import ASSUMING

AUDIT = Path('docs/data/audit.json')
Row = dict[str, Any]


def rows(folder: Path, audit: Path = AUDIT) -> list[Row]:
    """Return a row for each setting that was trained: its seeds merged, and the best attack on its scheme.

    Args:
        folder: with NAME-seedN.json, attacks/*.json and bags/*.json.
        audit: figures on photographs; not read if the file is missing.
    """
    runs = [_read(path) for path in sorted(folder.glob('*.json'))]
    attacks = [_read(path) for path in sorted(folder.glob('attacks/*.json'))]
    bags = {
        found['scheme']: {'bag': found['accuracy'], 'bag_interval': found['interval']}
        for found in map(_read, sorted(folder.glob('bags/*.json')))
        if found['setting'] != 'mi'  # whose pieces are in order
    }
    photographs = _read(audit)['rows'] if audit.is_file() else []
    found = []
    for name in SETTINGS:
        own = sorted((run for run in runs if run['setting'] == name), key=lambda run: run['seed'])
        if own:
            scheme = own[0]['scheme']
            attacked = exposed([one for one in attacks if one['scheme'] == scheme])
            found.append(_merged(own) | attacked | bags.get(scheme, {}) | _audited(scheme, photographs))
    plain = next((row['accuracy'] for row in found if row['setting'] == 'vit-plain'), None)
    for row in found:
        row['cost'] = None if plain is None else round(plain - row['accuracy'], 2)
        row['share'] = None if plain is None else round(row['accuracy'] / plain, 4)
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding='utf-8'))


def _merged(runs: list[Row]) -> Row:
    """Return the runs of one setting as one row.

    ``interval`` is that of the mean over the validation images, of 95 %; the
    deviation over the seeds comes on top. ``curve`` is that of the first seed.

    Raises:
        SystemExit: runs that differ in more than the seed.
    """
    first, accuracies = runs[0], [run['accuracy'] for run in runs]
    if len({(run['epochs'], run.get('copies', False)) for run in runs}) > 1:
        sys.exit(f'frontier: runs of {first["setting"]} differ in epochs or copies')
    accuracy = statistics.mean(accuracies)
    kept = {key: first[key] for key in ('setting', 'scheme', 'model', 'config', 'epochs')}
    return kept | {
        'machine': '; '.join(dict.fromkeys(run['machine'] for run in runs)),
        'date': max(run['date'] for run in runs),
        'seeds': accuracies,
        'accuracy': round(accuracy, 4),
        'interval': [round(100 * end, 2) for end in interval(accuracy / 100, first['validation_images'])],
        'deviation': round(statistics.stdev(accuracies), 2) if len(runs) > 1 else None,
        'curve': [point['accuracy'] for point in first['curve']],
        'cpu_seconds': round(statistics.mean(run['cpu_seconds'] for run in runs)),
    }


def interval(share: float, count: int) -> tuple[float, float]:
    """Return Wilson's interval of 95 % of a share that was seen in ``count`` trials."""
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _best(attacks: list[Row], metric: str) -> Row:
    """Return the highest mean of a metric over attacks, whose it is, its interval and floors; {} without any.

    The floors are chance, and what the copy as it is tells without any attack.
    """
    having = [row for row in attacks if (row['metrics'].get(metric) or {}).get('mean') is not None]
    if not having:
        return {}
    top = max(having, key=lambda row: row['metrics'][metric]['mean'])
    values = top['metrics'][metric]
    chance, copy = (top['floors'].get(floor, {}).get(metric) for floor in ('chance', 'encrypted'))
    return {
        metric: values['mean'],
        f'{metric}_by': top['attack'],
        f'{metric}_low': values['low'],
        f'{metric}_high': values['high'],
        f'{metric}_chance': chance,
        f'{metric}_copy': copy,
        f'{metric}_images': top['images'],
    }


def exposed(found: list[Row]) -> Row:
    """Return what the best attack of some files of one scheme got."""
    attacks = [row for one in found for row in one['attacks']]
    return _best(attacks, 'surviving') | _found(attacks)


def _found(attacks: list[Row]) -> Row:
    """Return how many pictures the best attack found, by learned features or by the layout of colours.

    Features that were learned on clean photographs mistake noise for texture, which the layout hardly sees.
    """
    by_features, layout = _best(attacks, 'photo'), _best(attacks, 'photo_layout')
    by_layout = {key.replace('photo_layout', 'photo'): value for key, value in layout.items()}
    best = max(by_features, by_layout, key=lambda found: found.get('photo', -1))
    copies = [found['photo_copy'] for found in (by_features, by_layout) if found.get('photo_copy') is not None]
    return {**best, 'photo_copy': max(copies)} if copies else best


def _audited(scheme: str, audit: list[Row]) -> Row:
    """Return what the best attack got on photographs of 224 x 224, of those that know the copy alone."""
    sets = ('gcompris', 'noise-gcompris', 'small-gcompris', 'tone-gcompris')
    audit = [row for row in audit if row.get('set') in sets and row.get('attack') not in ASSUMING]
    own = [row for row in audit if row['setting'] == scheme]
    best = _best(own, 'surviving') | _found(own)
    return {f'audit_{key}': value for key, value in best.items()}


def table(found: list[Row]) -> str:
    """Return the rows as Markdown."""
    head = ['setting', 'model', 'accuracy', 'of plain', 'seeds', 'neighbours', 'photo found', 'neighbours, photographs']
    lines = ['| ' + ' | '.join(head) + ' |', '|---' * len(head) + '|']
    for row in found:
        cells = [
            row['scheme'],
            'ViT' if row['model'] == VIT else 'PEViT',
            f'{row["accuracy"]:.1f} [{row["interval"][0]:.1f}, {row["interval"][1]:.1f}]',
            '' if row['share'] is None else f'{row["share"]:.1%}',
            str(len(row['seeds'])),
            *(_with_chance(row, name) for name in ('surviving', 'photo', 'audit_surviving')),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def _with_chance(row: Row, metric: str) -> str:
    if row.get(metric) is None:
        return ''
    chance = row.get(f'{metric}_chance')
    return f'{row[metric]:.1%}' + ('' if chance is None else f' (chance {chance:.1%})')


COMMANDS = {
    'runs': 'python tools/frontier.py run --seeds 0 1 2; python tools/frontier.py run --epochs 18 --seeds 0 1 2; '
    'python tools/frontier.py attack; python tools/frontier.py attack --steps 600 --attacks context; '
    'python tools/frontier.py bag',
    'copies': 'hii-mm encrypt data/fashion-scene/PART copies/rs-gap-4/PART --gap 4 --key KEYFILE; '
    'python tools/frontier.py run --copies copies',
    'trials': 'python tools/frontier.py try',
    'options': 'python tools/frontier.py run; python tools/frontier.py attack --steps 600 --attacks context jigsaw',
    'boxes': 'python tools/train.py CONFIG; '
    'python tools/frontier.py attack --data data/fashion-det --settings mi rs-gap-0 rs-gap-2-noise-16 '
    '--out zoo/frontier/boxes',
}


def write_rows(found: list[Row], path: Path, kind: str = 'runs') -> None:
    """Write the json file of one of the documentation's tables; ``kind`` is a key of ``COMMANDS``."""
    runs = [*found, *(row['longer'] for row in found if row.get('longer'))]
    machines = dict.fromkeys(part for run in runs for part in run['machine'].split('; '))
    head = {
        'command': COMMANDS[kind],
        'date': max(run['date'] for run in runs),
        'machine': '; '.join(machines),
    }
    path.write_text(dump(head, found), encoding='utf-8')


AXES = {
    'surviving': 'right neighbours that the best attack found, %',
    'photo': 'pictures that the best attack found among 200, %',
}


def plot(found: list[Row], path: Path) -> None:
    """Draw accuracy against what the best attack got: neighbours above, and pictures found below.

    A filled point is a setting after the epochs of its config, a hollow one above it after more, if they were run.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    plt.rcParams['svg.hashsalt'] = 'frontier'  # the same file from the same figures
    figure, axes = plt.subplots(len(AXES), figsize=(8, 12), layout='constrained')
    for one, (metric, title) in zip(axes, AXES.items()):
        _panel(one, found, metric)
        one.set_xlabel(f'{title} (left is better)')
    axes[0].legend(loc='upper left')
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches='tight', metadata={'Date': None})
    plt.close(figure)


def _panel(axes: Any, found: list[Row], metric: str) -> None:
    """Draw each setting on which a metric was measured, and lines for plain images."""
    for row in found:
        longer = row.get('longer')
        if row['scheme'] == 'plain' and row['model'] == VIT:
            for part, style in ((row, '--'), (longer, '-')):
                if part:
                    name = f'plain images, {part["epochs"]} epochs'
                    axes.axhline(part['accuracy'], color='grey', linestyle=style, linewidth=1, label=name)
    shown = [row for row in found if row.get(metric) is not None]
    for row in shown:
        at, colour = 100 * row[metric], f'C{found.index(row) % 10}'
        _point(axes, at, row, colour, colour)
        if row.get('longer'):
            axes.plot([at, at], [row['accuracy'], row['longer']['accuracy']], color=colour, linewidth=0.6)
            _point(axes, at, row['longer'], colour, 'white')
    _label(axes, shown, metric, {row['setting']: f'C{found.index(row) % 10}' for row in shown})
    axes.set_ylabel('accuracy on FashionScene, % (up is better)')
    axes.set_xlim(0, 102)
    axes.set_ylim(0, 90)
    axes.grid(alpha=0.3)


def _point(axes: Any, at: float, row: Row, colour: str, inside: str) -> None:
    """Draw an accuracy with its interval."""
    low, high = row['interval']
    spread = [[row['accuracy'] - low], [high - row['accuracy']]]
    axes.errorbar(at, row['accuracy'], spread, fmt='o', color=colour, mfc=inside, markersize=5, capsize=2)


LETTER, LINE = 0.8, 2.3  # width and height of a letter of a label, in units of the axes


def _label(axes: Any, found: list[Row], metric: str, colours: dict[str, str]) -> None:
    """Write schemes beside their points, in their colours, where there is room; patches of 16 pixels are not named."""
    points = [(100 * row[metric], part['accuracy']) for row in found for part in (row, row.get('longer')) if part]
    taken = [(x - 1, x + 1, y - 1.2, y + 1.2) for x, y in points]
    for row in sorted(found, key=lambda row: -row['accuracy']):
        text = row['scheme'].replace('p 16, ', '').replace('grid 2, ', '')
        x, y = 100 * row[metric], row['accuracy']
        free = (place for place in _places(x, y, LETTER * len(text)) if not any(_meet(place, other) for other in taken))
        place = next(free, (x, x, y, y))
        taken.append(place)
        left, _, low, high = place
        axes.text(left, (low + high) / 2, text, fontsize=8, va='center', color=colours[row['setting']])
        if abs((low + high) / 2 - y) > LINE:
            near = left if left > x else place[1]
            axes.plot([x, near], [y, (low + high) / 2], color=colours[row['setting']], linewidth=0.4)


Box = tuple[float, float, float, float]  # left, right, low and high


def _places(x: float, y: float, width: float) -> Iterator[Box]:
    """Yield places for a label beside a point, the nearest ones first, within the axes."""
    for away in (0, *(sign * step for step in range(2, 40) for sign in (-1, 1))):
        for left in (x + 1.5, x - 1.5 - width):
            low = y + 0.6 * away - LINE / 2
            if left >= 0 and left + width <= 102 and low > 0:
                yield left, left + width, low, low + LINE


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
