"""Runs attacks on cases within a budget, remembers what is done, and measures."""

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from .. import __version__
from . import judges
from .base import Given, make
from .metrics import Likeness, Places, Retrieval, classes, floors
from .pieces import as_uint8, cut, resized, turn

MANY = 40  # candidates for linkage at most


class Runner:
    """Attacks cases one by one; every result is on disk before the next begins.

    Args:
        out: folder; ``results.jsonl`` and ``images/`` are in it. What is there
            already from the same images, settings and version is not run again.
        public: plain photos to learn from and to hide the right candidate among.
        budget: seconds, or None.
        say: called with a line of progress.
        options: ``{attack: keyword arguments}``.
    """

    def __init__(self, out, public=(), budget=None, seed=0, say=lambda line: None, options=None):
        self.out, self.public, self.seed, self.say = Path(out), list(public), seed, say
        self.options, self.deadline = options or {}, None if budget is None else time.monotonic() + budget
        self.rows, self.not_run, self.interrupted = [], [], False
        self._attacks, self._judged, self._stopped = {}, {}, None
        (self.out / 'images').mkdir(parents=True, exist_ok=True)
        self._done = self._read()

    def run(self, cases, attacks):
        """Run all attacks on all cases, image by image, so that a budget cuts all attacks alike."""
        total, start = len(cases) * len(attacks), len(self.rows) + len(self.not_run)
        for case in cases:
            for name in attacks:
                why = self._stopped or self._refusal(name, case, cases)
                if why:
                    self._skip(name, case, why)
                else:
                    self._one(name, case, cases)
                done = len(self.rows) + len(self.not_run) - start
                self.say(f'{done}/{total} {case.setting.name()}: {name} on {case.name}')

    def _one(self, name, case, cases):
        key = self._key(name, case)
        if key in self._done:
            self.rows.append(self._done[key])
            return
        if self.deadline is not None and time.monotonic() > self.deadline:
            self._stopped = 'out of budget'
            self._skip(name, case, self._stopped)
            return
        try:
            row = self._attack(name, case, cases, key)
        except KeyboardInterrupt:
            self.interrupted, self._stopped = True, 'interrupted'
            self._skip(name, case, self._stopped)
        except (ValueError, ImportError) as error:
            self._skip(name, case, str(error))
        else:
            self.rows.append(row)
            with open(self.out / 'results.jsonl', 'a') as file:
                file.write(json.dumps(row, allow_nan=False) + '\n')

    def _attack(self, name, case, cases, key):
        """Recover, measure, keep the picture; the row of results."""
        attack = self._attacks.get((name, case.setting.steps))
        given = self._given(name, case, cases)
        if attack is None:
            attack = make(name, **self.options.get(name, {}))
            attack.prepare(case.setting, given)
            self._attacks[name, case.setting.steps] = attack
        found = attack.recover(case.encrypted, case.setting, given)
        row = {
            'key': key,
            'setting': case.setting.name(),
            'attack': name,
            'image': case.name,
            'repeat': case.repeat,
            'seconds': found.seconds,
            'confidence': found.confidence,
            'metrics': {},
            'floors': {},
            'pictures': {},
        }
        if case.plain is not None:
            found = self._measure(row, case, found, given)
        pictures = {'plain': case.plain, 'encrypted': case.encrypted, 'recovered': found.image}
        for kind, picture in pictures.items():
            if picture is not None:
                row['pictures'][kind] = self._save(kind, picture)
        return row

    def _measure(self, row, case, found, given):
        """Fill in metrics and floors; returns the recovery, turned as a whole where that fits better."""
        measured, plan, plain = {}, case.plan, case.plain
        if found.places is not None and plan is not None:
            same = classes(cut(np.ascontiguousarray(case.encrypted), plan.shape))
            where = plan.permutation, plan.grid.shape, same
            if plan.orientation is None:
                measured |= Places.calculate(found.places, *where)
            else:
                turns = found.turns if found.turns is not None else np.zeros_like(found.places)
                measured |= Places.turned(
                    found.places, turns, plan.permutation, plan.orientation, plan.grid.shape, same
                )
            if 'right' in found.extra:
                measured['top1'] = Retrieval.calculate(found.extra['right'], found.extra['down'], *where)
        if found.image is not None:
            found, likeness = _best_turn(plain, found, plan)
            measured |= likeness
            expected = self._expected(case)
            measured |= judges.judge(expected, resized(found.image, plain.shape[:2])) if expected else {}
        if found.ranking is not None and given.candidates:
            measured['named'] = float(_index(given.candidates, plain) == found.ranking[0])
        patch = (case.setting.mixup or case.setting.shuffle).patch_size
        row['floors'] = floors(plain, case.encrypted, patch)
        row['metrics'] = {name: float(value) for name, value in measured.items() if np.isfinite(value)}
        if plan is not None:
            row['floors']['chance'] = {'neighbour': 1 / (plan.grid.shape[0] * plan.grid.shape[1])}
        if found.ranking is not None:
            row['floors']['chance'] = {'named': 1 / len(given.candidates)}
        return found

    def _expected(self, case):
        if case.name not in self._judged:
            self._judged[case.name] = judges.find(case.plain)
        return self._judged[case.name]

    def _given(self, name, case, cases):
        """What this attacker has beside the image: built from the other cases, never from its own plan."""
        others = {}
        for other in cases:
            if other.plain is not None and other.name != case.name:
                others.setdefault(other.name, other)
        if name == 'linkage' and case.plain is not None:
            decoys = [other.plain for other in others.values()][: MANY - 1] + self.public
            place = int(np.random.default_rng(self.seed).integers(min(len(decoys), MANY - 1) + 1))
            decoys = decoys[: MANY - 1]
            return Given(tuple(self.public), candidates=(*decoys[:place], case.plain, *decoys[place:]))
        if name == 'known-plaintext' and case.plan is not None:
            alike = [other for other in others.values() if other.plain.shape == case.plain.shape]
            return Given(tuple(self.public), pairs=tuple(self._pair(other, case) for other in alike[:1]))
        if name == 'multi-view' and case.plain is not None:
            return Given(tuple(self.public), views=tuple(self._views(case)))
        return Given(tuple(self.public), candidates=tuple(self.public) if name == 'linkage' else ())

    @staticmethod
    def _pair(other, case):
        """Another image, as one permutation for the whole data set would have encrypted it."""
        image = other.plain
        if case.setting.mixup:
            image = case.setting.mixup.plan(image.shape).apply(image)
        return other.plain, case.plan.apply(image)

    def _views(self, case):
        """Mixed: the image and three shifted by some pixels.

        Shuffled: one more, shifted by half a patch; with dropped patches
        eleven fresh shuffles of the same crop.
        """
        rng, rs = np.random.default_rng([self.seed, 7]), case.setting.shuffle
        shifts = [(3, 5), (9, 2), (6, 11)]
        if rs:
            shifts = [(0, 0)] * 11 if rs.drop_ratio else [tuple(side // 2 for side in rs.patch_size)]
        views = [(case.encrypted, (0, 0))]
        for shift in shifts:
            moved = np.ascontiguousarray(np.roll(case.plain, [-step for step in shift], axis=(0, 1)))
            views.append((case.setting.encrypt(moved, rng)[0], shift))
        return views

    def _refusal(self, name, case, cases):
        attack = make(name, **self.options.get(name, {}))
        missing = [need for need in attack.needs if not len(getattr(self._given(name, case, cases), need))]
        if missing and case.plain is None:
            return f'needs {" and ".join(missing)}, which only an owner has' + (
                ' (or give photos with --public)' if 'candidates' in missing else ''
            )
        return attack.refuses(case.setting) or (f'needs {" and ".join(missing)}' if missing else None)

    def _skip(self, name, case, why):
        row = {'setting': case.setting.name(), 'attack': name, 'image': case.name, 'repeat': case.repeat}
        self.not_run.append({**row, 'reason': why})

    def _key(self, name, case):
        """What a result depends on, hashed."""
        digest = hashlib.sha256()
        words = [__version__, name, repr(case.setting), repr(self.options.get(name)), self.seed, case.name, case.repeat]
        digest.update(json.dumps([str(word) for word in words]).encode())
        for picture in (case.encrypted, case.plain):
            if picture is not None:
                digest.update(np.ascontiguousarray(picture).data)
        return digest.hexdigest()[:16]

    def _read(self):
        """Rows of an earlier run; a last line that was cut off is left out."""
        rows = {}
        path = self.out / 'results.jsonl'
        if path.is_file():
            for line in path.read_text().splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                rows[row['key']] = row
        return rows

    def _save(self, kind, picture):
        """Write a PNG once, named by its content; its name within ``out``."""
        content = hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()[:16]
        target = self.out / 'images' / f'{kind}-{content}.png'
        if not target.is_file():
            partial = target.with_suffix('.part')
            Image.fromarray(as_uint8(picture)).save(partial, format='PNG')
            os.replace(partial, target)
        return f'images/{target.name}'


def _best_turn(plain, found, plan):
    """The recovery whose image, turned as a whole where pieces were turned, is most like the plain one."""
    from dataclasses import replace

    codes = [0] if plan is None or plan.orientation is None else range(8)
    best = None
    for code in codes:
        image = np.ascontiguousarray(turn(as_uint8(found.image)[None], code)[0])
        likeness = Likeness.calculate(plain, image)
        if best is None or likeness['ssim'] > best[1]['ssim']:
            best = image, likeness
    return replace(found, image=best[0]), best[1]


def _index(candidates, plain):
    return next((k for k, candidate in enumerate(candidates) if candidate is plain), -1)
