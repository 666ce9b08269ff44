"""The public function: try settings on photos, and advise one."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..attacks.api import Report, results_folder
from ..attacks.arguments import attack_names, check_numbers, check_packages
from ..attacks.evaluation.cases import Case
from ..attacks.evaluation.copies import check_outside_copy
from ..attacks.evaluation.runner import Runner
from ..attacks.evaluation.trials import Encrypted, run_trials
from ..attacks.report.about import about as about_run
from ..attacks.report.build import build
from ..encryption import Scheme, checks
from ..errors import InvalidValueError, NothingToAttackError
from ..files import StrPath, check_writable, write_atomically
from ..images import encode, read_colours
from ..preview import sheet
from ..progress import Progress, silent
from . import fitting, words
from .measuring import measures, objects_of
from .rule import Tried, advised, nearest, tried
from .settings import fit_of, flags_of, settings
from .trial import Agenda, Photos, agenda, cases_of, load_photos

MODE = 'plain photos, encrypted to try settings'
SHOWN = 'most_exposed.png'  # in the folder of the report


@dataclass(frozen=True)
class Recommendation:
    """The result of :func:`hii_mm.recommend`.

    Attributes:
        tried: the settings, in the order in which they were tried.
        report: of the attacks, as :func:`hii_mm.attack` returns it.
        warnings: what the grades do not tell, one line each.
        sizes: ``{name: (h, w)}`` of the photo files that were read.
        size: side of the middle squares that were tried, in pixels; 0 for whole photos.
    """

    tried: tuple[Tried, ...]
    report: Report
    warnings: tuple[str, ...]
    sizes: Mapping[str, tuple[int, int]]
    size: int

    @property
    def advice(self) -> Tried | None:
        """The setting to take, or None if none holds; the rule is in docs/guides/which_setting.md."""
        return advised(self.tried)

    @property
    def nearest(self) -> Tried | None:
        """The setting of which least came back, or None if no attack ran."""
        return nearest(self.tried)

    @property
    def flags(self) -> list[str] | None:
        """The options of ``hii-mm encrypt`` of the advice, or None without advice."""
        return self._flags(self.advice)

    @property
    def nearest_flags(self) -> list[str] | None:
        """Those of the nearest setting where none holds, else None."""
        return None if any(one.holds for one in self.tried) else self._flags(self.nearest)

    def _flags(self, chosen: Tried | None) -> list[str] | None:
        if chosen is None:
            return None
        return flags_of(chosen.scheme) + fit_of(chosen.scheme, self.sizes.values(), self.size)

    @property
    def sentence(self) -> str:
        """The advice, or why there is none."""
        return words.sentence(self.tried)

    @property
    def shown(self) -> str | None:
        """``SHOWN`` if there is a picture of what comes back at the advised or nearest setting, else None."""
        return SHOWN if self._worst is not None else None

    @property
    def _worst(self) -> Mapping[str, Any] | None:
        """The result that recovered most of a picture at the advised or nearest setting."""
        chosen = self.advice or self.nearest
        rows = self.report.data['results']
        return None if chosen is None else next((row for row in rows if row['key'] == chosen.worst), None)

    def table(self) -> str:
        """Return one line for each setting, in columns, and what the columns mean."""
        return '\n'.join([words.table(self.tried), *words.legend(self.tried, self.report.data)])


def recommend(
    photos: StrPath | Iterable[StrPath],
    *,
    minutes: float = 10,
    classes: int | None = None,
    boxes: StrPath | None = None,
    size: int = 224,
    seed: int = 0,
    jobs: int | None = None,
    schemes: Sequence[Scheme] | None = None,
    attacks: Sequence[str] | None = None,
    out: StrPath | None = None,
    progress: Progress = silent,
    notice: Callable[[str], None] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Recommendation:
    """Attack photos at the presets and a small sweep, and advise a setting, or none.

    Ctrl-C ends the run early: the result then holds what ran, and
    ``report.interrupted`` is True.

    Args:
        photos: plain photos: a folder, or several files and folders.
        minutes: stop after this time; as many photos as it allows are attacked, spread evenly.
        classes: that a classifier will learn, for a warning.
        boxes: COCO file of the photos: the attack ``annotations`` runs too, and pieces are measured.
        size: side of the middle square of each photo, in pixels; 0 keeps it.
        seed: of the plans that are tried and of what attackers are given.
        jobs: worker processes; None is one for each core where it takes long.
        schemes: other settings to try.
        attacks: names of others than the default attacks.
        out: folder for results, pictures and the report. The same call again continues.
            None keeps nothing on disk.
        progress: called after each result.
        notice: called once before anything is attacked, with a line about the time it will take.
        about: more fields for ``report.json``, such as ``command``.

    Raises:
        SourceError: missing photos, or an encrypted copy.
        NothingToAttackError: there are photos, but none of them can be attacked.
        UsageError: another argument that is not accepted.
        MissingPackageError: a package is not installed.
    """
    check_packages()
    start = time.monotonic()
    names = attack_names(attacks, boxes is not None)
    _check(minutes, classes, size, seed, jobs, out)
    paths = [photos] if isinstance(photos, (str, os.PathLike)) else list(photos)
    owned = load_photos([Path(path) for path in paths], size, boxes, out)
    chosen, untried = _agenda(owned, settings() if schemes is None else schemes, names, minutes, jobs, notice)
    cases, left = cases_of(owned, chosen, seed)
    with results_folder(out) as folder:
        seconds = 60 * minutes - (time.monotonic() - start)
        total = len(cases) * len(names)
        runner = Runner(folder, (), seconds, seed, {}, total, progress, owned.pictures, chosen.jobs)
        left += run_trials(runner, [Encrypted(cases)], names)
        _check_ran(runner, left)
        how = about_run(
            f'{MODE}, seed {seed}', seed, minutes, runner.interrupted, owned.left + left + untried, chosen.jobs
        )
        report = Report(build(runner.rows, runner.not_run, how | dict(about or {})), folder)
        if out is not None:
            report.write(out)
    found = _tried(report, cases, chosen, owned, seed)
    notes = words.warnings(found, owned, len(chosen.names), classes)
    result = Recommendation(found, report, tuple(notes), dict(owned.sizes), size)
    if out is not None and result._worst is not None:
        _draw(Path(out), result._worst['pictures'])
    return result


def _agenda(
    owned: Photos,
    schemes: Sequence[Scheme],
    attacks: Sequence[str],
    minutes: float,
    jobs: int | None,
    notice: Callable[[str], None] | None,
) -> tuple[Agenda, list[str]]:
    """Choose what is tried, fit what it needs, and return a line for each setting for which the time is too short."""
    possible, left = fitting.affordable(schemes, attacks, 60 * minutes)
    wait = fitting.FIT / 60 * len(fitting.to_fit(possible, attacks))
    chosen = agenda(owned, possible, attacks, minutes, jobs, wait)
    if notice is not None:
        notice(chosen.words)
    ready, more = fitting.fit(chosen.schemes, attacks, 60 * minutes, notice)
    return replace(chosen, schemes=ready), left + more


def _draw(out: Path, pictures: Mapping[str, str]) -> None:
    """Write a result as one picture: plain, encrypted and recovered side by side."""
    images = {name: read_colours(out / pictures[name]) for name in ('plain', 'encrypted', 'recovered')}
    write_atomically(out / SHOWN, encode(np.asarray(sheet(**images)), '.png'))


def _check(minutes: float, classes: int | None, size: int, seed: int, jobs: int | None, out: StrPath | None) -> None:
    """Raise UsageError for arguments that are not accepted."""
    if not (math.isfinite(minutes) and minutes > 0):
        raise InvalidValueError(f'minutes must be a number above 0, got {minutes!r}')
    check_numbers(1, None, size, minutes, seed, 1.0, jobs)
    if classes is not None:
        checks.whole('classes', classes, 2)
    if out is not None:
        check_outside_copy(out, 'the report folder')
        check_writable(out, f'the report folder {os.fspath(out)!r}')


def _check_ran(runner: Runner, left: Sequence[str]) -> None:
    """Raise KeyboardInterrupt or NothingToAttackError if nothing ran."""
    if runner.rows:
        return
    if runner.interrupted:
        raise KeyboardInterrupt
    why = left[:3] or sorted({row['reason'] for row in runner.not_run})[:3]
    raise NothingToAttackError(f'no photo could be attacked: {"; ".join(why)}')


def _tried(report: Report, cases: Sequence[Case], chosen: Agenda, photos: Photos, seed: int) -> tuple[Tried, ...]:
    """Return what came back at each setting that ran."""
    entries = {entry['name']: entry for entry in report.data['settings']}
    whole = {}
    if photos.objects is not None:
        uncut, _ = cases_of(photos, Agenda([Scheme(16)], chosen.names, 1, ''), seed)
        whole = {case.name: len(objects_of(case)) for case in uncut}
    found = []
    for scheme in chosen.schemes:
        own = [case for case in cases if case.scheme.label == scheme.label]
        if own and scheme.label in entries:
            entry, rows = entries[scheme.label], report.data['results']
            found.append(tried(entry, rows, scheme, measures(own, whole)))
    return tuple(found)
