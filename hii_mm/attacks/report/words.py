"""Words about figures: titles and formats of metrics, and the verdict on an attack.

A verdict states what was recovered, by which attack, and at what cost. It
never says that anything is safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..base import Attack, Figures
from ..evaluation import judges
from ..evaluation.gallery import LAYOUT
from .grade import LEAST_PHOTOS, counts

CAVEAT = (
    'These are the figures of the attacks named here, on these images. They are a lower bound: '
    'a stronger attack, more computing or knowledge of the photos may recover more.'
)
Entry = Mapping[str, Any]  # of one attack in report.json


class Metric(NamedTuple):
    """Display of a metric.

    Attributes:
        title: in tables and plots.
        form: for ``str.format``.
    """

    title: str
    form: str

    def show(self, value: float | None) -> str:
        """Return a value as text, '' for None."""
        return '' if value is None else self.form.format(value)


METRICS = {
    'direct': Metric('right place', '{:.1%}'),
    'neighbour': Metric('right neighbours', '{:.1%}'),
    'surviving': Metric('right neighbours among the kept pieces', '{:.1%}'),
    'component': Metric('largest part', '{:.1%}'),
    'perfect': Metric('all kept pieces in place', '{:.1%}'),
    'top1': Metric('neighbour ranked first', '{:.1%}'),
    'named': Metric('right photo named', '{:.1%}'),
    'psnr': Metric('PSNR, dB', '{:.1f}'),
    'ssim': Metric('SSIM', '{:.2f}'),
    'faces': Metric('faces found again', '{:.1%}'),
    'people': Metric('people matched again', '{:.1%}'),
    'characters': Metric('characters read again', '{:.1%}'),
    'classes': Metric('class found again', '{:.1%}'),
    'photo': Metric('photo picked by features', '{:.1%}'),
    'photo_layout': Metric('photo picked by colour layout', '{:.1%}'),
}


JUDGED = {
    'people': 'A face network still matches {} of the people on the plain images',
    'characters': 'Of the characters that are read on the plain images, {} are read again',
    'photo': 'By learned features, {} of its pictures pick their photo out of the gallery',
    'photo_layout': 'By the layout of colours, {} of its pictures pick their photo out of the gallery',
}


def figures_of(entry: Entry) -> Figures:
    """Return the figures of an attack's entry, as attacks take them."""
    known = {name: found for name, found in entry['metrics'].items() if found['count']}
    return Figures(
        means={name: found['mean'] for name, found in known.items()},
        worst={name: found['worst_decile'] for name, found in known.items()},
        floors=entry['floors'],
        facts=entry['facts'],
        dropped=entry['dropped'],
        missing=entry['missing'],
    )


def verdict(attack: type[Attack], entry: Entry) -> str:
    """Return what an attack recovered, in sentences.

    Args:
        attack: its own words come first.
        entry: of the attack, with figures.
    """
    figures = figures_of(entry)
    own = attack.words(figures)
    parts = [own] if own else [_pieces(figures), _named(figures), _likeness(figures)]
    if not figures.means:
        parts.append(_unmeasured(entry, bool(own)))
    parts += [_judges(figures, entry), _search(entry), f'Cost: {entry["seconds"]["mean"]:.2g} CPU s an image.']
    supposed = f' (supposing {attack.supposing})' if attack.supposing else ''
    return f'{attack.name}{supposed}: ' + ' '.join(part for part in parts if part)


def comparison(entry: Entry, other: Entry | None) -> str:
    """Return by how much an attack beats another one, if both ran on the same images."""
    if other is None or not entry['runs'] or entry['runs'] != other['runs'] or not entry['main']:
        return ''
    main = entry['main']
    if main not in other['metrics'] or not other['metrics'][main]['count']:
        return ''
    gain = entry['metrics'][main]['mean'] - other['metrics'][main]['mean']
    if main == 'psnr':
        return f'Against {other["name"]}: {gain:+.2f} dB.'
    if main == 'ssim':
        return f'Against {other["name"]}: {gain:+.2f} SSIM.'
    return f'Against {other["name"]}: {100 * gain:+.1f} points of {METRICS[main].title}.'


def _pieces(figures: Figures) -> str:
    """Return how well the pieces were put together."""
    means, lost = figures.means, figures.missing or 0
    if 'neighbour' not in means:
        return ''
    missing = f'; {lost:.0%} of each picture is missing' if lost >= 0.005 else ''
    mean = means.get('surviving')
    if mean is None:
        return f'No two neighbouring pieces were kept, so none can be put side by side{missing}.'
    chance = figures.floors.get('chance', {}).get('surviving')
    luck = '' if chance is None else f' (chance {chance:.1%})'
    perfect = means['perfect']
    whole = f', {perfect:.0%} of the pictures are whole again' if perfect > 0 else ''
    if missing:
        whole = (f', all kept pieces in place in {perfect:.0%} of the pictures' if perfect > 0 else '') + missing
    return (
        f'{_how_much(mean, bool(figures.dropped))}: {mean:.0%} of the neighbouring pieces that were kept are side by '
        f'side again{luck}{whole}; the largest connected part has {means["component"]:.0%} of the kept pieces, '
        f'{figures.worst["component"]:.0%} in the worst tenth.'
    )


def _how_much(share: float, dropped: bool) -> str:
    """Return the first words of a verdict; where patches were dropped it is never the pictures."""
    what = 'kept pieces' if dropped else 'pictures'
    if share >= 0.9:
        return f'The {what} were reassembled'
    if share >= 0.4:
        return f'Large parts of the {what} were reassembled'
    if share >= 0.1:
        return f'Parts of the {what} were reassembled'
    return 'Few pieces were put together by this attack'


def _named(figures: Figures) -> str:
    """Return how often the right candidate was ranked first."""
    if 'named' not in figures.means:
        return ''
    chance = figures.floors.get('chance', {}).get('named', 0)
    return f'The right photo was named for {figures.means["named"]:.0%} of the images (chance {chance:.1%}).'


def _likeness(figures: Figures) -> str:
    """Return how like the plain images the recovered ones are; a photo that was only named is not recovered."""
    means = figures.means
    if 'psnr' not in means or 'named' in means:
        return ''
    seen = figures.floors.get('encrypted', {})
    gain = means['psnr'] - seen.get('psnr', 0)
    return (
        f'PSNR {means["psnr"]:.1f} dB and SSIM {means["ssim"]:.2f} to the plain images; '
        f'the encrypted ones have {seen.get("psnr", 0):.1f} dB and {seen.get("ssim", 0):.2f} ({gain:+.1f} dB).'
    )


def _unmeasured(entry: Entry, described: bool) -> str:
    """Return what to make of an attack without any figure."""
    confidence = f"The attack's own confidence is {entry['confidence']['mean']:.0%}."
    if described:
        return confidence
    if entry['recovered']:
        why = (
            'No figure compares them with the plain images'
            if entry['truth']
            else 'There are no plain images to compare them with'
        )
        return f'It returned the pictures below. {why}: look at them. {confidence}'
    why = 'It found nothing that can be compared with the plain images. ' if entry['truth'] else ''
    return f'It returned no picture. {why}{confidence}'


def _judges(figures: Figures, entry: Entry) -> str:
    """Return what recognisers find again, each between its floor and its ceiling."""
    found = []
    for judge in (*judges.available(), LAYOUT):
        if judge in figures.means:
            what = JUDGED.get(judge, f'Of the {judge} that a recogniser finds on the plain images, it finds {{}} again')
            said = what.format(f'{figures.means[judge]:.0%}')
            found.append(f'{said}{between(judge, figures.floors, entry["ceilings"])}.')
    chance = figures.floors.get('chance', {}).get(LAYOUT, 0)
    if chance and LAYOUT in figures.means and not counts(chance):
        found.append(f'The gallery has about {1 / chance:.0f} photos: below {LEAST_PHOTOS} the verdict leaves it out.')
    more = ['A person recognises more than these programs: look at the pictures.'] if found else []
    return ' '.join(found + more)


def between(judge: str, floors: Mapping[str, Mapping[str, float]], ceilings: Mapping[str, float]) -> str:
    """Return floor and ceiling of a recogniser's figure in brackets, '' without both."""
    said = [f'encrypted {floors["encrypted"][judge]:.0%}'] if judge in floors.get('encrypted', {}) else []
    if ceilings.get(judge) is not None:
        said.append(f'at true places {ceilings[judge]:.0%}')
    return f' ({", ".join(said)})' if said else ''


def _search(entry: Entry) -> str:
    """Return what the solver found beside what the truth is worth under the same scores."""
    values = entry.get('search')
    if not values:
        return ''
    limit = 'the search' if values['found'] < values['truth'] else 'the measures, not the search,'
    return (
        f'The solver found {values["found"]:.0f} of the {values["truth"]:.0f} that the truth scores: '
        f'{limit} set the limit.'
    )
