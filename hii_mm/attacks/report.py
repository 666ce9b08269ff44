"""From results to ``report.json``: figures with their floors, and verdicts in plain words.

No verdict says that anything is safe: it says what was recovered, by which
attack, and at what cost.
"""

import json
import os
from collections import Counter
from pathlib import Path

from .. import __version__
from . import judges
from .base import make
from .metrics import summary

VERSION = 1  # of the file's format
MAIN = {'linkage': 'named'}  # the figure that ranks images; else the first of _FIRST that was measured
_FIRST = ('neighbour', 'psnr', 'ssim')
CAVEAT = (
    'These are the figures of the attacks named here, on these images. They are a lower bound: '
    'a stronger attack, more computing or knowledge of the photos may recover more.'
)


def build(rows, not_run, about):
    """The report as a dict that JSON can hold; its fields are in ``docs/attacks.md``.

    Args:
        rows: results of :class:`.runner.Runner`.
        not_run: what it left out, with reasons.
        about: dict: command, mode, created, seed, and so on.
    """
    names = list(dict.fromkeys([row['setting'] for row in rows] + [row['setting'] for row in not_run]))
    return {
        'format': 'hii-mm attack report',
        'version': VERSION,
        'hii_mm': __version__,
        **about,
        'caveat': CAVEAT,
        'judges': judges.available(),
        'settings': [_setting(name, rows, not_run) for name in names],
        'not_run': _grouped(not_run),
        'results': rows,
    }


def _setting(name, rows, not_run):
    here = [row for row in rows if row['setting'] == name]
    attacks = list(dict.fromkeys(row['attack'] for row in [*here, *not_run] if row['setting'] == name))
    found = [_attack(attack, [row for row in here if row['attack'] == attack], name, not_run) for attack in attacks]
    by_name = {entry['name']: entry for entry in found}
    for entry in found:
        entry['verdict'] += _against(entry, by_name.get(make(entry['name']).beside))
    return {'name': name, 'floors': _floors(here), 'attacks': found}


def _attack(name, rows, setting, not_run):
    """One attack at one setting: what ran, its figures, and the verdict."""
    left = [row for row in not_run if row['attack'] == name and row['setting'] == setting]
    cls = make(name)
    entry = {
        'name': name,
        'source': cls.source,
        'cost': cls.cost,
        'supposing': cls.supposing,
        'status': 'not run' if not rows else 'partly run' if left else 'run',
        'reasons': sorted({row['reason'] for row in left}),
        'images': len({row['image'] for row in rows}),
        'runs': len(rows),
    }
    if not rows:
        return {**entry, 'verdict': f'{name} was not run: {"; ".join(entry["reasons"])}.'}
    metrics = list(dict.fromkeys(metric for row in rows for metric in row['metrics']))
    entry['metrics'] = {metric: _summary(rows, [row['metrics'].get(metric) for row in rows]) for metric in metrics}
    entry['seconds'] = _summary(rows, [row['seconds'] for row in rows])
    entry['confidence'] = _summary(rows, [row['confidence'] for row in rows])
    entry['floors'] = _floors(rows)
    entry |= _beside(rows)
    entry['main'] = main_metric(name, metrics)
    ranked = _ranked(rows, entry['main'])
    entry['examples'] = {
        'worst': ranked[-1]['key'],
        'median': ranked[len(ranked) // 2]['key'],
        'best': ranked[0]['key'],
    }
    entry['verdict'] = verdict(name, entry)
    return entry


def _summary(rows, values):
    return summary(values, images=[row['image'] for row in rows])


def _beside(rows):
    """What is known of some runs beside their figures; see ``docs/attacks.md``."""
    means = {name: _summary(rows, [row.get(name) for row in rows])['mean'] for name in ('dropped', 'missing', 'bag')}
    labels = Counter(row['labels'][0][0] for row in rows if row.get('labels'))
    return {
        **means,
        'labels': dict(labels.most_common()),
        'recovered': sum('recovered' in row['pictures'] for row in rows),
        'truth': sum('plain' in row['pictures'] for row in rows),
    }


def _against(entry, other):
    """By how much an attack beats the one that it builds on, where both ran on the same images."""
    if other is None or entry['runs'] != other['runs'] or not entry['runs'] or not entry['main']:
        return ''
    gain = entry['metrics'][entry['main']]['mean'] - other['metrics'][entry['main']]['mean']
    if entry['main'] == 'psnr':
        return f' Against {other["name"]}: {gain:+.2f} dB.'
    return f' Against {other["name"]}: {100 * gain:+.1f} points of right neighbours.'


def main_metric(attack, metrics):
    """The figure by which images are ranked, or None without truth."""
    wanted = (MAIN.get(attack), *_FIRST)
    return next((metric for metric in wanted if metric in metrics), None)


def _ranked(rows, metric):
    """Rows from the least to the most recovered; one an image."""
    value = (lambda row: row['metrics'].get(metric, 0)) if metric else (lambda row: row['confidence'])
    first = {}
    for row in rows:
        first.setdefault(row['image'], row)
    return sorted(first.values(), key=value)


def _floors(rows):
    """``{floor: {metric: mean}}`` of all rows."""
    found = {}
    for floor in dict.fromkeys(name for row in rows for name in row['floors']):
        metrics = dict.fromkeys(metric for row in rows for metric in row['floors'].get(floor, {}))
        found[floor] = {m: _summary(rows, [r['floors'].get(floor, {}).get(m) for r in rows])['mean'] for m in metrics}
    return found


def verdict(name, entry):
    """What was recovered, in words. Never that something is safe."""
    metrics, cost = entry.get('metrics', {}), f'{entry["seconds"]["mean"]:.2g} s an image'
    supposed = f' (supposing {entry["supposing"]})' if entry['supposing'] else ''
    parts = _pieces(metrics, entry), _named(metrics, entry), _likeness(metrics, entry), _labels(entry), _bag(entry)
    said = ' '.join(part for part in (*parts, _unmeasured(metrics, entry)) if part)
    return f'{name}{supposed}: {said}' + _judges(metrics) + f' Cost: {cost}.'


def _unmeasured(metrics, entry):
    """What to make of an attack without any figure."""
    if metrics:
        return ''
    sure = f'The attack itself is {entry["confidence"]["mean"]:.0%} certain.'
    if entry.get('recovered'):
        why = 'No figure compares them with the plain images' if entry['truth'] else 'There is no truth to compare with'
        return f'It gave back the pictures below. {why}: look at them. {sure}'
    picture = '' if entry.get('labels') else 'It gave back no picture. '
    why = 'It found nothing that could be compared with the plain images. ' if entry.get('truth') else ''
    return picture + why + sure


def _labels(entry):
    """What a recogniser read, and how often."""
    found = list(entry.get('labels') or {})
    if not found:
        return ''
    read = [f'"{label}" ({entry["labels"][label]})' for label in found[:5]]
    more = f' and {len(found) - 5} more' if len(found) > 5 else ''
    if len(found) == 1:
        return f'It read the label "{found[0]}" from the encrypted images. It returns no picture.'
    return f'It read the labels {", ".join(read)}{more} from the encrypted images. It returns no picture.'


def _bag(entry):
    if entry.get('bag') is None:
        return ''
    return (
        f'The pieces that it found, in no order, are {entry["bag"]:.2f} times as far from the true ones as '
        'the mean piece is (0: all of them found, 1: nothing).'
    )


def _pieces(metrics, entry):
    if 'neighbour' not in metrics:
        return ''
    mean, lost = metrics.get('surviving', {}).get('mean'), entry.get('missing') or 0
    missing = f'; {lost:.0%} of each picture is missing' if lost >= 0.005 else ''
    if mean is None:
        return f'No two neighbouring pieces were kept, so none can be put side by side{missing}.'
    chance = entry['floors'].get('chance', {}).get('surviving')
    luck = '' if chance is None else f' (chance {chance:.1%})'
    kept = ' that were kept' if entry.get('dropped') else ''
    if entry['name'] == 'identity':
        return f'{mean:.1%} of the neighbouring pieces{kept} lie side by side in the encrypted image as it is{luck}.'
    perfect = metrics['perfect']['mean']
    whole = f', {perfect:.0%} of the pictures are whole again' if perfect > 0 else ''
    if missing:
        whole = (f', all kept pieces in place in {perfect:.0%} of the pictures' if perfect > 0 else '') + missing
    return (
        f'{_how_much(mean, entry)}: {mean:.0%} of the neighbouring pieces that were kept are side by side again'
        f'{luck}{whole}; the largest connected part has {metrics["component"]["mean"]:.0%} '
        f'of the kept pieces, {metrics["component"]["worst_decile"]:.0%} in the worst tenth.'
    )


def _how_much(share, entry):
    """The first words of a verdict; where patches were dropped it is never the pictures."""
    what = 'kept pieces' if entry.get('dropped') else 'pictures'
    if share >= 0.9:
        return f'The {what} were reassembled'
    if share >= 0.4:
        return f'Large parts of the {what} were reassembled'
    if share >= 0.1:
        return f'Parts of the {what} were reassembled'
    return 'Few pieces were put together by this attack'


def _named(metrics, entry):
    if 'named' not in metrics:
        return ''
    chance = entry['floors'].get('chance', {}).get('named', 0)
    return f'The right photo was named for {metrics["named"]["mean"]:.0%} of the images (chance {chance:.1%}).'


def _likeness(metrics, entry):
    if 'psnr' not in metrics or 'named' in metrics:
        return ''
    seen = entry['floors'].get('encrypted', {})
    gain = metrics['psnr']['mean'] - seen.get('psnr', 0)
    return (
        f'PSNR {metrics["psnr"]["mean"]:.1f} dB and SSIM {metrics["ssim"]["mean"]:.2f} to the plain images; '
        f'the encrypted ones have {seen.get("psnr", 0):.1f} dB and {seen.get("ssim", 0):.2f} ({gain:+.1f} dB).'
    )


def _judges(metrics):
    found = ''
    for judge in judges.available():
        if judge in metrics and metrics[judge]['count']:
            mean = metrics[judge]['mean']
            found += f' Of the {judge} that a recogniser finds on the plain images, it finds {mean:.0%} again.'
    return found + (' A person recognises more than these programs: look at the pictures.' if found else '')


def _grouped(not_run):
    """One entry a setting, attack and reason, with how many images."""
    count = Counter((row['setting'], row['attack'], row['reason']) for row in not_run)
    return [{'setting': s, 'attack': a, 'reason': why, 'runs': n} for (s, a, why), n in count.items()]


def write_text(path, text):
    """Write a file whole or not at all."""
    path = Path(path)
    partial = path.with_name(path.name + '.part')
    partial.write_bytes(text.encode('utf-8', errors='backslashreplace'))  # a file's name may be no UTF-8
    os.replace(partial, path)


def write_json(path, report):
    """Write ``report.json``; NaN would be an error."""
    write_text(path, json.dumps(report, indent=1, allow_nan=False) + '\n')
