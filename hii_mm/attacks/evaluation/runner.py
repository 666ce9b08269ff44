"""Run attacks on cases within a budget, and remember what is done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import __version__
from ...errors import AttackRefusedError
from ...files import StrPath
from ...progress import Progress, silent
from ..attackers import attack_class
from ..base import Given
from .cases import Case
from .given import Scene, given_to, lacking
from .store import Digests, Row, Store
from .work import Work
from .workers import CAUGHT, Answer, Settings, Task, Workers, importable

INTERRUPTED, OUT_OF_BUDGET = 'interrupted', 'out of budget'


class Runner:
    """Attacks cases one by one; every result is on disk before the next begins.

    Args:
        out: folder of the results. A result that is there already is taken
            again if everything that it depends on is the same.
        public: plain photos that are not of the data set.
        budget: seconds, or None.
        seed: of everything random that attackers are given.
        options: ``{attack: keyword arguments}``.
        total: number of results to expect in all runs, for ``progress``.
        progress: called after each result.
        gallery: ``{name: (H, W[, C])}``, plain photos for photo retrieval.
        jobs: worker processes, at most one for each case; with 1, and with attacks that
            another process cannot import, everything runs in this one. Rows come in the same order.

    Attributes:
        rows: the results.
        not_run: what did not run: setting, attack, image, repeat and reason of each.
        interrupted: whether Ctrl-C ended it.
    """

    def __init__(
        self,
        out: StrPath,
        public: Sequence[np.ndarray] = (),
        budget: float | None = None,
        seed: int = 0,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        total: int = 0,
        progress: Progress = silent,
        gallery: Mapping[str, np.ndarray] | None = None,
        jobs: int = 1,
    ) -> None:
        self.public, self.seed, self.options = list(public), seed, options or {}
        self.rows: list[Row] = []
        self.not_run: list[Row] = []
        self.interrupted = False
        self._deadline = None if budget is None else time.monotonic() + budget
        self._total, self._progress = total, progress
        self._stopped: str | None = None
        self._store, self._digests, self._jobs = Store(out), Digests(), jobs
        self._work = Work(self._store, seed, self.options, gallery or {}, self._digests)
        self._settings = Settings(str(out), self.public, seed, self.options, gallery or {})

    def run(self, cases: Sequence[Case], attacks: Sequence[str]) -> None:
        """Run all attacks on all cases, image by image, so that a budget cuts all attacks alike.

        After Ctrl-C, and out of budget, results that are there already are
        still taken, and everything else is listed in ``not_run``.
        """
        self._total = max(self._total, self._count() + len(cases) * len(attacks))
        jobs = min(self._jobs, len(cases))
        if jobs > 1 and all(map(importable, attacks)):
            self._run_apart(cases, attacks, jobs)
            return
        for case in cases:
            for name in attacks:
                before = self._count()
                try:
                    self._one(name, case, cases)
                    self._report(name, case)
                except KeyboardInterrupt:
                    self.interrupted, self._stopped = True, INTERRUPTED
                    if self._count() == before:
                        self._skip(name, case, INTERRUPTED)

    def _run_apart(self, cases: Sequence[Case], attacks: Sequence[str], jobs: int) -> None:
        """Run in worker processes; what is in hand at Ctrl-C is lost."""
        found: dict[tuple[int, str], tuple[Row | None, str | None]] = {}
        base = self._count()

        def keep(number: int, name: str, row: Row | None, why: str | None) -> None:
            found[number, name] = row, why
            self._progress(base + len(found), self._total, f'{cases[number].scheme.label}: {name}')

        with Workers(self._settings, jobs) as workers:
            try:
                groups = [self._tasks(number, cases, attacks, keep) for number in range(len(cases))]
                self._prepare({task.attack: task.number for group in groups for task in group}, cases)
                for answer in workers.answers(cases, [group for group in groups if group], self._late):
                    keep(*self._kept(answer))
            except KeyboardInterrupt:
                self.interrupted, self._stopped = True, INTERRUPTED
        for number, case in enumerate(cases):
            for name in attacks:
                if (number, name) not in found:
                    found[number, name] = self._known(name, case, cases)
                row, why = found[number, name]
                self._enter(name, case, row, why)

    def _prepare(self, first: Mapping[str, int], cases: Sequence[Case]) -> None:
        """Prepare each attack here once, so that workers find on disk what it fits; a failure is theirs to report."""
        for name, number in first.items():
            with contextlib.suppress(*CAUGHT):
                given = given_to(attack_class(name), Scene(cases[number], cases, self.public, self.seed))
                self._work.make(name).prepare(cases[number].scheme, given)

    def _tasks(
        self,
        number: int,
        cases: Sequence[Case],
        attacks: Sequence[str],
        keep: Callable[[int, str, Row | None, str | None], None],
    ) -> list[Task]:
        """Return what is to be done for a case; results that are there, and refusals, are kept at once."""
        tasks: list[Task] = []
        for name in attacks:
            row, why = self._known(name, cases[number], cases, tasks, number)
            if row is not None or why:
                keep(number, name, row, why)
        return tasks

    def _known(
        self, name: str, case: Case, cases: Sequence[Case], tasks: list[Task] | None = None, number: int = 0
    ) -> tuple[Row | None, str | None]:
        """Return the row that is there already, or why there is none; else append a task."""
        try:
            given = given_to(attack_class(name), Scene(case, cases, self.public, self.seed))
            key = self._key(name, case, given)
            row = self._store.get(key)
            why = None if row is not None else self._stopped or self._refusal(name, case, given) or self._late()
            if row is None and not why and tasks is not None:
                tasks.append(Task(number, name, key, attack_class(name).__module__))
            return row, why
        except CAUGHT as error:
            return None, str(error) or type(error).__name__

    def _kept(self, answer: Answer) -> tuple[int, str, Row | None, str | None]:
        """Put an answer's row on disk."""
        row, why = answer.row, answer.why
        if row is not None:
            try:
                self._add(answer.task.attack, row)
            except AttackRefusedError as error:
                row, why = None, str(error)
        return answer.task.number, answer.task.attack, row, why

    def skip(self, attack: str, setting: str, image: str, repeat: int, reason: str) -> None:
        """List something as not run."""
        row = {'setting': setting, 'attack': attack, 'image': image, 'repeat': repeat}
        self.not_run.append({**row, 'reason': reason})

    def _count(self) -> int:
        return len(self.rows) + len(self.not_run)

    def _report(self, name: str, case: Case) -> None:
        self._progress(self._count(), self._total, f'{case.scheme.label}: {name} on {case.name}')

    def _one(self, name: str, case: Case, cases: Sequence[Case]) -> None:
        """Take the row that is there already, or add a new one, or list why there is none."""
        row, why = None, None
        try:
            given = given_to(attack_class(name), Scene(case, cases, self.public, self.seed))
            key = self._key(name, case, given)
            row = self._store.get(key)
            if row is None:
                why = self._stopped or self._refusal(name, case, given) or self._late()
            if row is None and not why:
                row = self._work.row(key, name, case, given)
                self._add(name, row)
        except CAUGHT as error:
            row, why = None, str(error) or type(error).__name__
        self._enter(name, case, row, why)

    def _enter(self, name: str, case: Case, row: Row | None, why: str | None) -> None:
        if row is not None:
            self.rows.append(row)
        else:
            self._skip(name, case, str(why))

    def _skip(self, name: str, case: Case, reason: str) -> None:
        self.skip(name, case.scheme.label, case.name, case.repeat, reason)

    def _add(self, name: str, row: Row) -> None:
        """Put a row on disk.

        Raises:
            AttackRefusedError: it holds what JSON cannot.
        """
        try:
            self._store.add(row)
        except (TypeError, ValueError) as error:
            raise AttackRefusedError(f'{name} returned facts that JSON cannot hold: {error}') from None

    def _late(self) -> str | None:
        """Return the reason to stop, if the budget is spent."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._stopped = OUT_OF_BUDGET
        return self._stopped

    def _refusal(self, name: str, case: Case, given: Given) -> str | None:
        return self._work.make(name).refuses(case.scheme) or lacking(attack_class(name), given, case)

    def _key(self, name: str, case: Case, given: Given) -> str:
        """Return a hash of everything that a result depends on."""
        options, digests = self.options.get(name, {}), self._digests
        words = [__version__, name, repr(case.scheme.steps), repr(options), self.seed, case.name, case.repeat]
        words += [digests.file(options.get('checkpoint')), digests.array(case.encrypted), digests.array(case.plain)]
        if case.plan is not None and case.plan.shuffle is not None:
            shuffle = case.plan.shuffle
            words += [digests.array(part) for part in (shuffle.permutation, shuffle.orientation)]
            words += [digests.array(part) for part in (vars(shuffle.tone).values() if shuffle.tone else ())]
            words += [digests.array(shuffle.noise.seed)] if shuffle.noise else []
        for need, value in vars(given).items():
            words += [need, *digests.words(value)]
        return hashlib.sha256(json.dumps([str(word) for word in words]).encode()).hexdigest()[:16]
