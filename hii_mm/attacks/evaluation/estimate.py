"""What a run will cost, from recorded seconds, so that it can be said before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...encryption import Scheme

PIECES = 196  # of the recorded costs
BIG = 1024 * 768  # pixels; from there on --size is suggested
ABOUT = 3  # CPU seconds of an attack without a record
START = 12  # CPU seconds of a process until it attacks: packages, judges, models
BESIDE = 1.2  # CPU seconds of an image of 224 x 224 pixels: judges on plain, encrypted and true picture, floors
SHOWN = 0.1  # and of each picture that an attack recovers
CPU_SECONDS = {  # of one image of 224 x 224 pixels and 196 pieces
    'identity': 0.0,
    'jigsaw': 2.1,
    'context': 2.1,
    'mixup-inverse': 0.5,
    'linkage': 0.1,
    'bag': 2.7,
    'known-plaintext': 0.1,
    'position-vit': 2.1,
    'annotations': 2.2,
    'annotations-only': 1.8,
    'multi-view': 5.0,
    'unet-inverse': 0.5,
    'parrot': 0.5,
    'gradient': 3.0,
}
BY_PIECES = (
    'jigsaw',
    'context',
    'position-vit',
    'annotations',
    'annotations-only',
    'multi-view',
)  # cost: by the pieces


class Estimate(NamedTuple):
    """CPU seconds of a run without its start, photos and attacks, and the largest picture in pixels."""

    seconds: float
    photos: int
    attacks: int
    pixels: int

    def words(self, jobs: int) -> str:
        """Return the estimate in a line, with what makes it shorter if it is long."""
        seconds = START + self.seconds / jobs
        said = f'about {_time(seconds)}: {_count(self.photos, "photo")} x {_count(self.attacks, "attack")}'
        if seconds < 60:
            return said
        less = [f'--images {max(1, min(10, self.photos // 2))}'] if self.photos > 1 else []
        less += ['--size 224'] if self.pixels >= BIG else []
        return said + (f'; {" or ".join(less)} for less' if less else '')


def estimate(runs: Iterable[tuple[Scheme, tuple[int, ...]]], attacks: Sequence[str], photos: int) -> Estimate:
    """Estimate a run.

    Args:
        runs: scheme and plain (or encrypted) shape of each image to attack.
        attacks: names.
        photos: number of different images.
    """
    known: dict[tuple[Scheme, tuple[int, ...]], float] = {}
    seconds, pixels = 0.0, 0
    for scheme, shape in runs:
        if (scheme, shape) not in known:
            shown = BESIDE + SHOWN * len(attacks)
            known[scheme, shape] = shown * larger(shape) + sum(cost(name, scheme, shape) for name in attacks)
        seconds, pixels = seconds + known[scheme, shape], max(pixels, int(np.prod(shape[:2])))
    return Estimate(seconds, photos, len(attacks), pixels)


def larger(shape: tuple[int, ...]) -> float:
    """Return how much larger an image is than 224 x 224 pixels, 1 at least."""
    return max(1.0, float(np.prod(shape[:2])) / 224**2)


def cost(attack: str, scheme: Scheme, shape: tuple[int, ...], record: Mapping[str, float] = CPU_SECONDS) -> float:
    """Return the CPU seconds of an attack on one image of a shape, (H, W[, C])."""
    base = record.get(attack, ABOUT)
    if attack not in BY_PIECES:
        return base * larger(shape)
    if scheme.shuffle is None:
        return 0.0
    sides = scheme.patch_size
    ratio = float(np.prod(shape[:2])) / (sides[0] * sides[1]) * (1 - scheme.shuffle.drop_ratio) / PIECES
    return base * max(0.1, 0.95 * ratio + 0.05 * ratio**2) * (16 if scheme.shuffle.orient else 1)


def _time(seconds: float) -> str:
    if seconds < 60:
        return f'{max(1, round(seconds))} s'
    return f'{round(seconds / 60)} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'


def _count(number: int, word: str) -> str:
    return f'{number} {word}{"s" * (number != 1)}'
