"""Run attacks on cases within a budget, and remember what is done."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import __version__
from ...encryption import Scheme
from ...errors import AttackRefusedError, HiiError
from ...files import StrPath
from ...progress import Progress, silent
from ..attackers import attack_class
from ..base import Attack, Given
from ..solver.pieces import resized
from .cases import Case
from .given import Scene, given_to, lacking
from .measure import Measures, lost
from .store import Digests, Row, Store

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
    ) -> None:
        self.public, self.seed, self.options = list(public), seed, options or {}
        self.rows: list[Row] = []
        self.not_run: list[Row] = []
        self.interrupted = False
        self._deadline = None if budget is None else time.monotonic() + budget
        self._total, self._progress = total, progress
        self._stopped: str | None = None
        self._prepared: dict[tuple[str, Scheme], Attack] = {}
        self._store, self._digests = Store(out), Digests()
        self._measures = Measures(seed, self._digests)

    def run(self, cases: Sequence[Case], attacks: Sequence[str]) -> None:
        """Run all attacks on all cases, image by image, so that a budget cuts all attacks alike.

        After Ctrl-C, and out of budget, results that are there already are
        still taken, and everything else is listed in ``not_run``.
        """
        self._total = max(self._total, self._count() + len(cases) * len(attacks))
        for case in cases:
            for name in attacks:
                before = self._count()
                try:
                    self._one(name, case, cases)
                    self._progress(self._count(), self._total, f'{case.scheme.label}: {name} on {case.name}')
                except KeyboardInterrupt:
                    self.interrupted, self._stopped = True, INTERRUPTED
                    if self._count() == before:
                        self.skip(name, case.scheme.label, case.name, case.repeat, INTERRUPTED)

    def skip(self, attack: str, setting: str, image: str, repeat: int, reason: str) -> None:
        """List something as not run."""
        row = {'setting': setting, 'attack': attack, 'image': image, 'repeat': repeat}
        self.not_run.append({**row, 'reason': reason})

    def _count(self) -> int:
        return len(self.rows) + len(self.not_run)

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
                row = self._attack(name, case, given, key)
        except (HiiError, ValueError, ImportError, OSError) as error:
            why = str(error) or type(error).__name__
        if row is not None:
            self.rows.append(row)
        else:
            self.skip(name, case.scheme.label, case.name, case.repeat, str(why))

    def _late(self) -> str | None:
        """Return the reason to stop, if the budget is spent."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._stopped = OUT_OF_BUDGET
        return self._stopped

    def _make(self, name: str) -> Attack:
        return attack_class(name)(**self.options.get(name, {}))

    def _refusal(self, name: str, case: Case, given: Given) -> str | None:
        return self._make(name).refuses(case.scheme) or lacking(attack_class(name), given, case)

    def _attack(self, name: str, case: Case, given: Given, key: str) -> Row:
        """Recover, measure and keep the pictures; return the row, which is on disk then."""
        attack = self._prepared.get((name, case.scheme))
        if attack is None:
            attack = self._make(name)
            attack.prepare(case.scheme, given)
            self._prepared[name, case.scheme] = attack
        found = attack.recover(case.encrypted, case.scheme, given)
        measured = self._measures.measure(case, found, given)
        row = {
            'key': key,
            'setting': case.scheme.label,
            'attack': name,
            'image': case.name,
            'repeat': case.repeat,
            'seconds': float(found.seconds),
            'confidence': float(found.confidence),
            'metrics': measured.metrics,
            'floors': measured.floors,
            'facts': dict(found.facts),
            'pictures': self._pictures(case, found.image, measured.image),
            **lost(case),
        }
        try:
            self._store.add(row)
        except (TypeError, ValueError) as error:
            raise AttackRefusedError(f'{name} returned facts that JSON cannot hold: {error}') from None
        return row

    def _pictures(self, case: Case, found: np.ndarray | None, best: np.ndarray | None) -> dict[str, str]:
        """Save plain, encrypted and recovered; what is recovered may be the encrypted picture itself."""
        names = {} if case.plain is None else {'plain': self._store.save('plain', case.plain)}
        names['encrypted'] = self._store.save('encrypted', case.encrypted)
        if found is not None and best is not None:
            same = np.array_equal(found, resized(case.encrypted, found.shape[:2]))
            names['recovered'] = names['encrypted'] if same else self._store.save('recovered', best)
        return names

    def _key(self, name: str, case: Case, given: Given) -> str:
        """Return a hash of everything that a result depends on."""
        options, digests = self.options.get(name, {}), self._digests
        words = [__version__, name, repr(case.scheme.steps), repr(options), self.seed, case.name, case.repeat]
        words += [digests.file(options.get('checkpoint')), digests.array(case.encrypted), digests.array(case.plain)]
        if case.plan is not None and case.plan.shuffle is not None:
            words += [digests.array(part) for part in (case.plan.shuffle.permutation, case.plan.shuffle.orientation)]
        for need, value in vars(given).items():
            words += [need, *digests.words(value)]
        return hashlib.sha256(json.dumps([str(word) for word in words]).encode()).hexdigest()[:16]
