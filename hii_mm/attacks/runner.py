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
from .metrics import Likeness, Places, Retrieval, chance, classes, floors, turned_classes
from .pieces import as_uint8, cut, resized, turn

MANY = 40  # candidates for linkage at most
LABELS = 3  # of those that a recogniser gives, how many a row keeps


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
        self._attacks, self._judged, self._chances, self._digests, self._stopped = {}, {}, {}, {}, None
        (self.out / 'images').mkdir(parents=True, exist_ok=True)
        self._done = self._read()

    def run(self, cases, attacks):
        """Run all attacks on all cases, image by image, so that a budget cuts all attacks alike.

        After Ctrl-C, and out of budget, what is done already is still taken and all else listed.
        """
        total, start = len(cases) * len(attacks), self._count()
        for case in cases:
            for name in attacks:
                before = self._count()
                try:
                    self._one(name, case, cases)
                    self.say(f'{self._count() - start}/{total} {case.setting.name()}: {name} on {case.name}')
                except KeyboardInterrupt:
                    self.interrupted, self._stopped = True, 'interrupted'
                    if self._count() == before:
                        self._skip(name, case, self._stopped)

    def _count(self):
        return len(self.rows) + len(self.not_run)

    def _one(self, name, case, cases):
        """Take the row that is there already, or add a new one, or say why there is none."""
        try:
            given = self._given(name, case, cases)
            key = self._key(name, case, given)
            row = self._done.get(key)
            why = None if row else self._stopped or self._refusal(name, case, given) or self._late()
            if not row and not why:
                row = self._attack(name, case, given, key)
        except (ValueError, ImportError, OSError) as error:
            why = str(error) or type(error).__name__
        if why:
            self._skip(name, case, why)
            return
        self.rows.append(row)
        if key not in self._done:
            self._done[key] = row
            with open(self.out / 'results.jsonl', 'a') as file:
                file.write(json.dumps(row, allow_nan=False) + '\n')

    def _late(self):
        """The reason to stop, if the budget is spent."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            self._stopped = 'out of budget'
        return self._stopped

    def _attack(self, name, case, given, key):
        """Recover, measure, keep the picture; the row of results."""
        attack = self._attacks.get((name, case.setting.steps))
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
            **_said(found.extra),
            **_lost(case.plan),
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
        measured, luck, plan, plain = {}, {}, case.plan, case.plain
        if found.places is not None and plan is not None:
            measured, luck = self._places(case, found)
        if found.image is not None:
            found, likeness = _best_turn(plain, found, plan)
            measured |= likeness
            expected = self._expected(case)
            measured |= judges.judge(expected, resized(found.image, plain.shape[:2])) if expected else {}
        if found.ranking is not None and given.candidates:
            measured['named'] = float(_index(given.candidates, plain) == found.ranking[0])
            luck['named'] = 1 / len(given.candidates)
        patch = (case.setting.mixup or case.setting.shuffle).patch_size
        row['floors'] = floors(plain, case.encrypted, patch)
        row['metrics'] = {name: float(value) for name, value in measured.items() if np.isfinite(value)}
        if luck:
            row['floors']['chance'] = luck
        return found

    def _places(self, case, found):
        """(figures of the places that an attack found, the same of chance)."""
        plan, extra = case.plan, found.extra
        pieces = cut(np.ascontiguousarray(case.encrypted), plan.shape)
        same = classes(pieces) if plan.orientation is None else turned_classes(pieces)
        where = plan.grid.shape, same
        if plan.orientation is None:
            measured = Places.calculate(found.places, plan.permutation, *where)
        else:
            turns = found.turns if found.turns is not None else np.zeros_like(found.places)
            measured = Places.turned(found.places, turns, plan.permutation, plan.orientation, *where)
        if 'right' in extra:
            measured['top1'] = Retrieval.calculate(extra['right'], extra['down'], plan.permutation, *where)
        return measured, self._chance(case, same)

    def _chance(self, case, same):
        """Chance, computed once for all images of a size without equal pieces; for others from fewer plans."""
        alike = len(np.unique(same)) < same.size
        key = case.setting.steps, case.plan.plain_shape, self._digest(same) if alike else None
        if key not in self._chances:
            rounds = 5 if alike else 20
            self._chances[key] = chance(case.setting.shuffle, case.plan, same, [self.seed, 20], rounds)
        return dict(self._chances[key])

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
            decoys = [photo for photo in decoys if not np.array_equal(photo, case.plain)][: MANY - 1]
            if not decoys:
                return Given(tuple(self.public))
            place = int(np.random.default_rng(self.seed).integers(len(decoys) + 1))
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

    def _refusal(self, name, case, given):
        attack = make(name, **self.options.get(name, {}))
        missing = [need for need in attack.needs if not len(getattr(given, need))]
        if missing and case.plain is None:
            return f'needs {" and ".join(missing)}, which only an owner has' + (
                ' (or give photos with --public)' if 'candidates' in missing else ''
            )
        if name == 'linkage' and missing:
            return 'needs other photos to tell it from (give some with --public)'
        return attack.refuses(case.setting) or (f'needs {" and ".join(missing)}' if missing else None)

    def _skip(self, name, case, why):
        row = {'setting': case.setting.name(), 'attack': name, 'image': case.name, 'repeat': case.repeat}
        self.not_run.append({**row, 'reason': why})

    def _key(self, name, case, given):
        """What a result depends on, hashed."""
        options, plan = self.options.get(name, {}), case.plan
        words = [__version__, name, repr(case.setting), repr(options), self.seed, case.name, case.repeat]
        words += [self._content(options.get('checkpoint')), self._digest(case.encrypted), self._once(case.plain)]
        words += [self._digest(part) for part in (plan.permutation, plan.orientation)] if plan else []
        if self._uses_public(name):
            words += ['public', *map(self._once, given.public)]
        words += ['candidates', *map(self._once, given.candidates)]
        words += ['pairs', *(self._digest(image) for pair in given.pairs for image in pair)]
        words += ['views', *(word for image, shift in given.views for word in (self._digest(image), shift))]
        return hashlib.sha256(json.dumps([str(word) for word in words]).encode()).hexdigest()[:16]

    def _uses_public(self, name):
        """Ours say in ``needs`` if they learn from the public photos; others may do so unsaid."""
        attack = make(name, **self.options.get(name, {}))
        return 'public' in attack.needs or not type(attack).__module__.startswith(f'{__package__}.')

    @staticmethod
    def _digest(array):
        """SHA-256 of an array's kind, shape and content, or '' for None."""
        if array is None:
            return ''
        digest = hashlib.sha256(f'{array.dtype} {array.shape}'.encode())
        digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _once(self, photo):
        """The digest of a photo that many results depend on, computed once; the photo is held, so that its id stays."""
        if id(photo) not in self._digests:
            self._digests[id(photo)] = photo, self._digest(photo)
        return self._digests[id(photo)][1]

    def _content(self, file):
        """SHA-256 of a checkpoint file, read once; '' where there is none."""
        if file not in self._digests:
            there = file is not None and Path(file).is_file()
            self._digests[file] = hashlib.sha256(Path(file).read_bytes()).hexdigest() if there else ''
        return self._digests[file]

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


def _said(extra):
    """What an attack gave back beside a picture, as JSON holds it."""
    found = {}
    if 'labels' in extra:
        found['labels'] = [[str(label), float(share)] for label, share in extra['labels'][:LABELS]]
    if 'bag' in extra and np.isfinite(extra['bag']):
        found['bag'] = float(extra['bag'])
    return found


def _lost(plan):
    """The share of the patches that were dropped, and of the pixels that are missing, gaps and all."""
    if plan is None:
        return {}
    kept, pixels = plan.permutation.size / np.prod(plan.grid.shape), np.prod(plan.encrypted_shape)
    return {'dropped': float(1 - kept), 'missing': float(max(0, 1 - pixels / np.prod(plan.plain_shape)))}


def _index(candidates, plain):
    return next((k for k, candidate in enumerate(candidates) if candidate is plain), -1)
