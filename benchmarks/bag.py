"""Labels of bags of pieces: three kinds of GCompris' photographs.

    python benchmarks/bag.py [--root data/gcompris] [--json FILE]

Kinds: animals (explore_farm_animals, explore_world_animals), buildings
(explore_monuments) and music (explore_world_music). Prints, for each setting,
the share of right labels: of the photographs of ``test`` after training on
those of ``learn``, and of all of them, each tenth after training on the other
nine; both beside the share of the most frequent kind.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import record

from hii_mm import Scheme
from hii_mm.attacks.attackers.bag import BagTrainer
from hii_mm.attacks.evaluation.photos import load_pictures, picture_files
from hii_mm.attacks.solver.bagging import features

KINDS = {
    'explore_farm_animals': 'animals', 'explore_world_animals': 'animals',
    'explore_monuments': 'buildings', 'explore_world_music': 'music',
}  # fmt: skip
SCHEMES = (
    Scheme(16), Scheme(16, gap=2), Scheme(16, gap=2, drop_ratio=0.5), Scheme(16, strategy='both'), Scheme(32, gap=2),
)  # fmt: skip
TENTHS = 10
Photos = tuple[list[np.ndarray], list[str]]


def photos(folder: Path, size: int) -> Photos:
    """Return the photographs of the three kinds, (size, size, 3) uint8, and their kinds."""
    found, _ = load_pictures(picture_files([folder]), size)
    named = {name: kind for name in found for start, kind in KINDS.items() if name.startswith(start)}
    return [found[name] for name in named], list(named.values())


def right(scheme: Scheme, learn: Photos, test: Photos) -> list[bool]:
    """Return which photographs of ``test`` get their kind from a classifier trained on ``learn``."""
    trainer = BagTrainer(scheme, learn[0][0].shape[:2])
    trainer.train(*learn)
    model, rng = trainer.model, np.random.default_rng(1)
    assert model is not None
    bags = np.stack([features(scheme.plan(photo.shape, rng).apply(photo), scheme) for photo in test[0]])
    return [model.labels[k] == kind for k, kind in zip(model.chances(bags).argmax(axis=1), test[1])]


def crossed(scheme: Scheme, all_of_them: Photos) -> list[bool]:
    """Return which photographs get their kind from a classifier trained on the other nine tenths."""
    part = np.random.default_rng(0).permutation(len(all_of_them[0])) % TENTHS

    def pick(here: np.ndarray) -> Photos:
        return [all_of_them[0][k] for k in np.nonzero(here)[0]], [all_of_them[1][k] for k in np.nonzero(here)[0]]

    return [hit for k in range(TENTHS) for hit in right(scheme, pick(part != k), pick(part == k))]


def majority(kinds: Sequence[str]) -> float:
    """Return the share of the most frequent kind."""
    return Counter(kinds).most_common(1)[0][1] / len(kinds)


def main() -> None:
    """Train and test at each setting, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--root', type=Path, default=Path('data/gcompris'))
    parser.add_argument('--size', type=int, default=224)
    record.add_argument(parser)
    args, rows = parser.parse_args(), []
    learn, test = (photos(args.root / part, args.size) for part in ('learn', 'test'))
    both = [*learn[0], *test[0]], [*learn[1], *test[1]]
    print(f'{len(learn[0])} and {len(test[0])} photographs; majority {majority(test[1]):.3f} of test,', end=' ')
    print(f'{majority(both[1]):.3f} of all')
    for scheme in SCHEMES:
        start = time.process_time()
        halves, tenths = np.mean(right(scheme, learn, test)), np.mean(crossed(scheme, both))
        spent = time.process_time() - start
        rows.append(
            {
                'setting': scheme.label,
                'halves': round(float(halves), 4),
                'tenths': round(float(tenths), 4),
                'majority': round(majority(both[1]), 4),
                'photos': len(both[1]),
            }
        )
        print(f'{scheme.label}: learn to test {halves:.3f}, tenths {tenths:.3f}, {spent:.0f} CPU s', flush=True)
    record.write(args.json, rows, f'{platform.machine()}, Python {platform.python_version()}')


if __name__ == '__main__':
    main()
