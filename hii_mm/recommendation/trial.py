"""Attack an owner's photos at each setting within a time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..attacks.evaluation.cases import Case, try_scheme
from ..attacks.evaluation.estimate import START, estimate
from ..attacks.evaluation.objects import Objects, read_objects
from ..attacks.evaluation.photos import load_pictures, picture_files
from ..encryption import Scheme
from ..errors import NothingToAttackError, SourceError
from ..files import StrPath
from ..handover.layout import copy_around
from .rule import LEAST
from .settings import SWEEP

GALLERY = 100  # photos that recovered ones must pick theirs from; those that are attacked are among them
MOST = 40  # photos that are attacked
FASTER = 2  # times as many photos as the recorded seconds allow: most machines are faster, and time ends a run
HW = tuple[int, int]
Item = TypeVar('Item')


@dataclass(frozen=True)
class Photos:
    """An owner's photos.

    Attributes:
        pictures: ``{name: uint8 (H, W, 3)}``, spread evenly over all files.
        sizes: ``{name: (h, w) of the file}``.
        found: number of files.
        left: one line for each that cannot be used.
        objects: their annotations.
    """

    pictures: Mapping[str, np.ndarray]
    sizes: Mapping[str, HW]
    found: int
    left: list[str] = field(default_factory=list)
    objects: Objects | None = None


def load_photos(photos: Sequence[Path], size: int, boxes: StrPath | None, out: StrPath | None) -> Photos:
    """Read at most ``GALLERY`` photos.

    Args:
        photos: files and folders.
        size: side of the middle square that each becomes; 0 keeps it.
        boxes: COCO file of the photos.
        out: the folder of the report; what lies below it is left out.

    Raises:
        SourceError: missing photos, or an encrypted copy.
        NothingToAttackError: none of the photos can be read.
        UsageError: annotations that are not a COCO file.
    """
    files = picture_files(photos, out)
    for folder in dict.fromkeys([*map(Path, photos), *(file.parent for file in files)]):
        copy = copy_around(folder)
        if copy is not None:
            raise SourceError(f'{copy} is an encrypted copy: give the plain photos, or run hii-mm attack on the copy')
    sizes: dict[str, HW] = {}
    pictures, left = load_pictures(spread(files, GALLERY), size, sizes=sizes)
    if not pictures:
        raise NothingToAttackError(f'none of the photos can be read: {"; ".join(left[:3])}')
    objects = None if boxes is None else read_objects(boxes, sizes, size)
    return Photos(pictures, sizes, len(files), left + (objects.left if objects else []), objects)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most that many items, evenly over all, the first among them."""
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]


def nested(items: Sequence[Item]) -> list[Item]:
    """Return items in an order of which every beginning is spread over all: a longer run extends a shorter one."""
    bits = max(1, (len(items) - 1).bit_length())
    return [items[k] for k in sorted(range(len(items)), key=lambda k: format(k, f'0{bits}b')[::-1])]


@dataclass(frozen=True)
class Agenda:
    """What is tried in a time.

    Attributes:
        schemes: settings, in order.
        names: of the photos that are attacked.
        jobs: worker processes.
        words: the estimate in a line.
    """

    schemes: list[Scheme]
    names: list[str]
    jobs: int
    words: str


def agenda(
    photos: Photos, schemes: Sequence[Scheme], attacks: Sequence[str], minutes: float, jobs: int | None, wait: float = 0
) -> Agenda:
    """Choose more photos than the time allows, by recorded CPU seconds; below ``LEAST`` the sweep is left out.

    Of the minutes, ``wait`` go by before anything is attacked.
    """
    if jobs is None:
        jobs = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    available, chosen = min(len(photos.pictures), MOST), list(schemes)
    count = _affordable(photos, chosen, attacks, minutes - wait, jobs)
    if count < min(LEAST, available):
        chosen = [scheme for scheme in schemes if scheme not in SWEEP]
        count = _affordable(photos, chosen, attacks, minutes - wait, jobs)
    names = nested(list(photos.pictures))[: max(1, min(FASTER * count, available))]
    cost = estimate([(s, photos.pictures[n].shape) for s in chosen for n in names], attacks, len(names))
    jobs = max(1, min(jobs, len(names) * len(chosen), int(cost.seconds // START) + 1))
    said = f'{cost.words(jobs).partition(";")[0]} x {len(chosen)} settings'
    limit = 'at most' if START + cost.seconds / jobs <= 60 * minutes else 'stopped after'
    return Agenda(chosen, names, jobs, f'{said}, {limit} {minutes:.3g} min')


def _affordable(photos: Photos, schemes: Sequence[Scheme], attacks: Sequence[str], minutes: float, jobs: int) -> int:
    """Return how many photos can be attacked in a time, 0 for none."""
    runs = [(scheme, picture.shape) for scheme in schemes for picture in photos.pictures.values()]
    each = estimate(runs, attacks, 1).seconds / len(photos.pictures)
    return max(0, int((60 * minutes - START) * jobs / each))


def cases_of(photos: Photos, chosen: Agenda, seed: int) -> tuple[list[Case], list[str]]:
    """Encrypt the chosen photos at each setting.

    Returns:
        The cases, photo by photo, so that a time that runs out cuts all
        settings alike; and a line for each photo that a setting does not fit.
    """
    pictures = {name: photos.pictures[name] for name in chosen.names}
    found, refused = [], list[str]()
    for scheme in chosen.schemes:
        cases, lines = try_scheme(pictures, scheme.with_remainder('crop'), 1, seed, photos.objects)
        found += cases
        refused += [f'{scheme.label}: {line}' for line in lines]
    order = {name: number for number, name in enumerate(chosen.names)}
    return sorted(found, key=lambda case: order[case.name]), refused
