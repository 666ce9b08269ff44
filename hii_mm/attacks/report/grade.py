"""The grade of a run: three grades by a fixed rule, which docs/reference/report_format.md states.

"comes back" is the worst. No grade says that nothing can be recovered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..evaluation.gallery import LAYOUT, PHOTO

COMES, PARTLY, LITTLE = 'comes back', 'partly comes back', 'little came back'
FLOOR = 'identity'  # no attack: it can make a grade worse, but alone it is no ground for the best one
NEIGHBOURS = 'surviving'  # the metric
LEAST_SPAN = 0.05  # of photo retrieval between floor and ceiling; below it the figure tells nothing
LEAST_PHOTOS = 20  # to choose from, for photo retrieval to count
RULE = {  # figure: from which value on a picture comes back, and partly comes back
    'neighbour gain': (0.5, 0.1),
    'retrieval gain': (0.5, 0.1),
    'retrieval': (0.5, 0.1),
    'ssim': (0.5, 0.3),
}


class Retrieved(NamedTuple):
    """Photo retrieval of one attack: share, of the encrypted pictures, and with all pieces at their true places."""

    share: float
    floor: float
    ceiling: float

    @property
    def gain(self) -> float | None:
        """The way from floor to ceiling that the attack went; None if these two are too close."""
        span = self.ceiling - self.floor
        return None if span < LEAST_SPAN else (self.share - self.floor) / span


def beyond_chance(metrics: Mapping[str, Any], floors: Mapping[str, Any]) -> float | None:
    """Return the way from chance to 1 that right neighbours went, 0 below chance; None without neighbours.

    Equal pieces stand for each other: of a picture with a white background most neighbours are right in any order.

    (share - chance) / (1 - chance), in [0, 1]; the rule is in docs/reference/report_format.md.

    Args:
        metrics: shares in [0, 1] by name: means, or those of one picture.
        floors: of the same; without the floor 'chance' it is 0.
    """
    share = metrics.get(NEIGHBOURS)
    if share is None:
        return None
    luck = floors.get('chance', {}).get(NEIGHBOURS, 0.0)
    return max(0.0, share - luck) / (1 - luck) if luck < 1 else 0.0


def grade(figures: Mapping[str, float | None]) -> str | None:
    """Return the worst grade that any figure gives, None without figures.

    Args:
        figures: by the names in ``RULE``; None is no figure.
    """
    known = [(RULE[name], value) for name, value in figures.items() if value is not None]
    if not known:
        return None
    if any(value >= limits[0] for limits, value in known):
        return COMES
    return PARTLY if any(value >= limits[1] for limits, value in known) else LITTLE


def counts(chance: float) -> bool:
    """Return whether photo retrieval counts, by one over the number of photographs to choose from."""
    return chance <= 1 / LEAST_PHOTOS + 1e-9


def retrieved(entry: Mapping[str, Any]) -> Retrieved | None:
    """Return photo retrieval of an attack's entry: by learned features or by colour layout, whichever gains more.

    Features know clean photographs, and mixed or noisy pictures less well than the layout does. None without
    either, and where there are fewer than ``LEAST_PHOTOS`` photographs to choose from.
    """
    known = []
    for name in (PHOTO, LAYOUT):
        found = entry.get('metrics', {}).get(name, {})
        chance = entry.get('floors', {}).get('chance', {}).get(name)  # one over the number of photographs
        if found.get('count') and chance is not None and counts(chance):
            floor = entry['floors'].get('encrypted', {}).get(name)
            ceiling = entry['ceilings'].get(name)
            known.append(Retrieved(found['mean'], floor or 0.0, 1.0 if ceiling is None else ceiling))
    return max(known, key=lambda one: -1.0 if one.gain is None else one.gain, default=None)


def figures_of(entry: Mapping[str, Any], shuffled: bool) -> dict[str, float | None]:
    """Return the figures of an attack that its grade is decided by.

    Args:
        entry: of the attack.
        shuffled: False for mixing alone.
    """
    photo = retrieved(entry)
    if shuffled:
        gain = beyond_chance({NEIGHBOURS: _mean(entry, NEIGHBOURS)}, entry.get('floors', {}))
        return {'neighbour gain': gain, 'retrieval gain': photo.gain if photo else None}
    return {'retrieval': photo.share if photo else None, 'ssim': _mean(entry, 'ssim')}


def graded(setting: Mapping[str, Any]) -> dict[str, Any]:
    """Return the grade of a setting: the worst over the attacks that suppose nothing beyond the copy.

    Returns:
        ``grade`` (None without figures), ``attack`` that decides it, ``figures``
        that decide it, and ``apart``: the grades of attacks that suppose more.
    """
    shuffled = setting.get('parameters', {}).get('gap') is not None
    best: dict[str, Any] = {'grade': None, 'attack': None, 'figures': {}}
    apart = {}
    for entry in setting['attacks']:
        figures = figures_of(entry, shuffled)
        found = grade(figures)
        if entry['supposing']:
            if found:
                apart[entry['name']] = found
        elif (
            (entry['name'] != FLOOR or found != LITTLE)
            and found
            and _rank(found, figures) > _rank(best['grade'], best['figures'])
        ):
            best = {'grade': found, 'attack': entry['name'], 'figures': {**figures, **_shares(entry, shuffled)}}
    return {**best, 'apart': apart}


def sentence(settings: Sequence[Mapping[str, Any]]) -> str:
    """Return the first line of a report: the grade of the worst setting with the two figures that decide it."""
    known = [setting for setting in settings if setting['grade']['grade']]
    if not known:
        return 'No grade: no attack could be compared with plain images.'
    worst = max(known, key=lambda setting: _rank(setting['grade']['grade'], setting['grade']['figures']))
    found = worst['grade']
    name = f' (worst of {len(known)} settings)' if len(known) > 1 else ''
    return (
        f'{_subject(found["grade"])}: {worst["name"]}{name}, {found["attack"]}: {_figures(found["figures"])}.'
        + _apart(found['apart'])
    )


def _rank(found: str | None, figures: Mapping[str, float | None]) -> tuple[int, list[float]]:
    """Return what orders attacks: grade, then how far beyond the limits, by the figure that is furthest first."""
    reach = [round(value / RULE[name][0], 6) for name, value in figures.items() if name in RULE and value is not None]
    return (-1 if found is None else (LITTLE, PARTLY, COMES).index(found), sorted(reach, reverse=True))


def _subject(found: str) -> str:
    return {COMES: 'The picture comes back', PARTLY: 'The picture partly comes back', LITTLE: 'Little came back'}[found]


def _shares(entry: Mapping[str, Any], shuffled: bool) -> dict[str, float]:
    """Return what the figures were made of: neighbours and their chance, photo retrieval with floor and ceiling."""
    share, photo = _mean(entry, NEIGHBOURS), retrieved(entry)
    made = {} if photo is None else {f'photo {name}': value for name, value in photo._asdict().items()}
    if share is None or not shuffled:
        return made
    return {
        'neighbours': share,
        'neighbour chance': entry.get('floors', {}).get('chance', {}).get(NEIGHBOURS, 0.0),
        **made,
    }


def _figures(figures: Mapping[str, float | None]) -> str:
    """Return the two figures in words."""
    said = []
    if figures.get('neighbours') is not None:
        luck = f' (chance {figures["neighbour chance"]:.0%})' if figures.get('neighbour chance') else ''
        said.append(f'{figures["neighbours"]:.0%} of the neighbours among the kept pieces are right{luck}')
    if figures.get('photo share') is not None:
        said.append(
            f'{figures["photo share"]:.0%} of the recovered pictures pick their photo '
            f'(encrypted ones {figures["photo floor"]:.0%}, at true places {figures["photo ceiling"]:.0%})'
        )
    if figures.get('ssim') is not None:
        said.append(f'SSIM {figures["ssim"]:.2f}')
    return ' and '.join(said)


def _apart(apart: Mapping[str, str]) -> str:
    """Return the grades of attacks that suppose more."""
    if not apart:
        return ''
    return ' Apart, since they suppose more: ' + '; '.join(f'{name}: {found}' for name, found in apart.items()) + '.'


def _mean(entry: Mapping[str, Any], metric: str) -> float | None:
    found = entry.get('metrics', {}).get(metric, {})
    return found['mean'] if found.get('count') else None
