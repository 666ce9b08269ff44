"""A recommendation in words: the table, the warnings, the advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..attacks.report.grade import LEAST_PHOTOS, counts
from ..presets import ACCURACY
from .measuring import SMALLEST
from .rule import LEAST, Tried, advised, nearest
from .trial import Photos

FEW = 10  # classes, from which on down a bag of pieces tells much
NOT_MEASURED = 'not measured'
ALSO = 'Encrypt the validation photos with the same options and the same key, into another output folder.'
_HEAD = ('setting', 'what comes back', 'best attack', 'neighbours', 'photo found', 'exposed', 'pixels lost',
         'accuracy', 'size')  # fmt: skip
_BOXES = ('objects kept', 'too small')


def table(found: Sequence[Tried]) -> str:
    """Return one line for each setting, in columns."""
    head = [*_HEAD, *(_BOXES if any(one.measures.boxes for one in found) else ())]
    lines = [head, *(_cells(one, len(head)) for one in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return '\n'.join('  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def _cells(one: Tried, count: int) -> list[str]:
    """Return the cells of a setting."""
    figures, measures, accuracy = one.figures, one.measures, one.accuracy
    cells = [
        f'{one.name}: {one.scheme.label}' if one.name else one.scheme.label,
        one.grade or 'not attacked',
        one.attack or '-',
        _share(figures.get('neighbours')),
        _share(figures.get('photo share')),
        f'{one.exposed} of {one.pictures}',
        _share(measures.lost),
        f'{accuracy.encrypted:.1f} of {accuracy.plain:.1f} %' if accuracy else NOT_MEASURED,
        _share(measures.size),
    ]
    boxes = measures.boxes
    return (cells + [_share(boxes.kept if boxes else None), _share(boxes.small if boxes else None)])[:count]


def _share(value: float | None) -> str:
    return '-' if value is None else f'{value:.0%}'


def legend(found: Sequence[Tried], data: Mapping[str, Any]) -> list[str]:
    """Return what the columns mean, in lines.

    Args:
        found: the settings.
        data: the content of ``report.json``.
    """
    task = next(iter(ACCURACY.values())).task if ACCURACY else ''
    lines = [
        'neighbours: pieces that the best attack put side by side again; photo found: recovered pictures that pick '
        'their photo; exposed: pictures that come back by themselves.',
        'size: PNG files beside those of the plain pictures. accuracy: '
        + (f'on {task}, not on your photos.' if task else 'no setting was measured yet.'),
    ]
    if any(one.measures.boxes for one in found):
        lines.append(f'too small: objects whose largest piece has a side below {SMALLEST} pixels.')
    chances = [
        entry.get('floors', {}).get('chance', {}).get(name)
        for setting in data['settings']
        for entry in setting['attacks']
        for name in ('photo', 'photo_layout')
    ]
    known = [chance for chance in chances if chance]
    if known and not counts(min(known)):
        lines.append(
            f'photo found does not count: about {1 / min(known):.0f} different photos to choose from, and '
            f'{LEAST_PHOTOS} are needed.'
        )
    return lines


def warnings(found: Sequence[Tried], photos: Photos, attacked: int, classes: int | None) -> list[str]:
    """Return what the grades do not tell, one line each.

    Args:
        found: the settings.
        photos: of the owner.
        attacked: number of photos that were attacked.
        classes: number of classes that the trainer learns, None if unknown.
    """
    lines = []
    if attacked < LEAST:
        lines.append(
            f'{_count(attacked, "photo")} attacked; {LEAST} are needed for an advice: more --minutes or photos'
        )
    if classes is not None and classes <= FEW:
        lines.append(
            f'with {classes} classes a guess is right in {1 / classes:.0%}, and pieces in no order name the kind of a '
            'picture more often than that, at every setting; measure it with hii-mm attack-train bag'
        )
    if photos.objects is not None:
        lines.append(
            'boxes and outlines move with the pieces and tell which belong together: the attack annotations uses them '
            'and counts in the grades'
        )
        if any(one.measures.boxes and one.measures.boxes.small > 0.5 for one in found):
            lines.append('at some settings most objects are cut into pieces too small to learn from: see the table')
    return lines


def sentence(found: Sequence[Tried]) -> str:
    """Return the advice, or why there is none, in a sentence."""
    chosen, least = advised(found), nearest(found)
    if chosen is not None:
        why = 'the highest accuracy' if chosen.accuracy else 'the fewest pixels lost; no accuracy was measured'
        pictures = _count(chosen.pictures, 'photo')
        said = f'Advice: {_named(chosen)}. Little came back of {pictures}; of the settings that hold it has {why}.'
        mixes = ' It mixes, which cannot be undone, with the key or without: keep the plain photos.'
        shuffle = chosen.scheme.shuffle
        noisy = ' It adds noise, which decrypt does not take off every value: keep the plain photos.'
        return said + mixes * (chosen.scheme.mixup is not None) + noisy * bool(shuffle and shuffle.noise)
    if least is None:
        return 'No advice: no attack finished on your photos; give more time.'
    if any(one.holds for one in found):
        most = max(one.pictures for one in found if one.holds)
        return (
            f'No advice yet: little came back of {_count(most, "photo")}, and {LEAST} are needed. The same command '
            'with more --minutes or more photos goes on from here.'
        )
    pictures = _count(least.pictures, 'photo')
    said = (
        f'None of these holds for your photos. The nearest is {_named(least)}: {least.grade}, '
        f'{least.exposed} of {pictures} exposed.'
    )
    few = f' {pictures} {"proves" if least.pictures == 1 else "prove"} little: try at least {LEAST}.'
    return said + few * (least.pictures < LEAST)


def _named(one: Tried) -> str:
    return f'{one.name} ({one.scheme.label})' if one.name else one.scheme.label


def _count(number: int, word: str) -> str:
    return f'{number} {word}{"s" * (number != 1)}'
