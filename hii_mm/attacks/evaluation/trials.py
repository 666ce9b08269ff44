"""All schemes of one run, attacked one after the other; Ctrl-C ends it with a list of what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...encryption import Scheme
from .cases import Case, runs_of, try_scheme
from .objects import Objects
from .runner import INTERRUPTED, Runner


@dataclass(frozen=True)
class Encrypted:
    """Images that are encrypted already, possibly under several schemes."""

    cases: Sequence[Case]

    def load(self) -> tuple[Sequence[Case], list[str]]:
        """Return the cases, and no refusals."""
        return self.cases, []

    def expected(self) -> Iterator[tuple[str, str, int]]:
        """Yield (setting, image, repeat) of everything to attack."""
        return ((case.scheme.label, case.name, case.repeat) for case in self.cases)


@dataclass(frozen=True)
class Trial:
    """Plain pictures to be encrypted with a scheme; see :func:`.cases.try_scheme`."""

    pictures: Mapping[str, np.ndarray]
    scheme: Scheme
    repeats: int
    seed: int
    objects: Objects | None = None

    def load(self) -> tuple[Sequence[Case], list[str]]:
        """Return the cases, and a line for each picture that cannot be encrypted."""
        return try_scheme(self.pictures, self.scheme, self.repeats, self.seed, self.objects)

    def expected(self) -> Iterator[tuple[str, str, int]]:
        """Yield (setting, image, repeat) of everything to attack, as far as it is known before encrypting."""
        runs = range(runs_of(self.scheme, self.repeats))
        return ((self.scheme.label, name, repeat) for name in self.pictures for repeat in runs)


def run_trials(runner: Runner, trials: Sequence[Encrypted | Trial], attacks: Sequence[str]) -> list[str]:
    """Attack everything, and return a line for each picture that could not be encrypted.

    After Ctrl-C, everything that did not run is listed in ``runner.not_run``.
    """
    refused: list[str] = []
    left = list(trials)
    try:
        while left:
            cases, lines = left[0].load()
            refused += [line for line in lines if line not in refused]
            runner.run(cases, attacks)
            left.pop(0)
    except KeyboardInterrupt:
        runner.interrupted = True
        _list_rest(runner, left, attacks)
    return refused


def _list_rest(runner: Runner, left: Sequence[Encrypted | Trial], attacks: Sequence[str]) -> None:
    """List what an interrupt outside of an attack kept from running."""
    listed = {(row['setting'], row['image'], row['repeat'], row['attack']) for row in (*runner.rows, *runner.not_run)}
    for setting, image, repeat in dict.fromkeys(run for trial in left for run in trial.expected()):
        for attack in attacks:
            if (setting, image, repeat, attack) not in listed:
                runner.skip(attack, setting, image, repeat, INTERRUPTED)
