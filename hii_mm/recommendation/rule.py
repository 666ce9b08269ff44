"""The rule of the advice, on the grades of the report. docs/guides/which_setting.md states it.

A setting holds if the report grades it "little came back" and no single
picture comes back by the same limits. Advised is, of the settings that hold,
the one with the highest accuracy on the benchmark; of those that were not
measured there, the one that loses the fewest pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..attacks.report.grade import COMES, LITTLE, PARTLY, beyond_chance, grade
from ..encryption import Scheme
from ..presets import ACCURACY, Accuracy, name_of

LEAST = 4  # pictures to attack before a setting is advised
GRADES = (LITTLE, PARTLY, COMES)


@dataclass(frozen=True)
class Boxes:
    """What becomes of the objects of the attacked pictures.

    Attributes:
        kept: share of the objects of which a piece is left.
        small: share of these whose largest piece has a side below ``SMALLEST`` pixels.
    """

    kept: float
    small: float


@dataclass(frozen=True)
class Measures:
    """What a setting does to pictures, whatever attacks do.

    Attributes:
        lost: share of the pixels that the encrypted picture does not have.
        size: bytes of the encrypted picture as PNG, by those of the plain one.
        boxes: of annotated pictures, else None.
    """

    lost: float
    size: float
    boxes: Boxes | None = None


@dataclass(frozen=True)
class Tried:
    """A setting, and what came back of the pictures.

    Attributes:
        scheme: the setting.
        measures: what it does to pictures.
        pictures: number of pictures that were attacked.
        grade: of the report: 'comes back', 'partly comes back', 'little came back'; None if no attack ran.
        attack: that decides the grade.
        figures: that decide it, by the names of the report.
        exposed: number of pictures that come back by themselves.
        worst: key of the result that recovered most of a picture, None without any.
    """

    scheme: Scheme
    measures: Measures
    pictures: int
    grade: str | None
    attack: str | None
    figures: Mapping[str, float | None]
    exposed: int
    worst: str | None

    @property
    def name(self) -> str | None:
        """The preset that it is, or None."""
        return name_of(self.scheme)

    @property
    def accuracy(self) -> Accuracy | None:
        """What it costs on the benchmark, or None."""
        return ACCURACY.get(self.scheme.label)

    @property
    def holds(self) -> bool:
        """Whether little came back, of every picture."""
        return self.grade == LITTLE and not self.exposed


def tried(setting: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], scheme: Scheme, measures: Measures) -> Tried:
    """Return what came back at a setting.

    Args:
        setting: its entry in ``report.json``.
        rows: the results of the report.
        scheme: of the setting.
        measures: what it does to pictures.
    """
    supposing = {entry['name'] for entry in setting['attacks'] if entry['supposing']}
    own = [row for row in rows if row['setting'] == setting['name'] and row['attack'] not in supposing]
    reach = {row['key']: _reached(row, scheme) for row in own}
    exposed = {row['image'] for row in own if grade(reach[row['key']]) == COMES}
    seen = [row for row in own if 'recovered' in row['pictures'] and _reach(reach[row['key']]) is not None]
    worst = max(seen, key=lambda row: _reach(reach[row['key']]) or 0.0, default=None)
    found = setting['grade']
    return Tried(
        scheme.with_remainder('error'),
        measures,
        len({row['image'] for row in own}),
        found['grade'],
        found['attack'],
        found['figures'],
        len(exposed),
        worst['key'] if worst else None,
    )


def _reached(row: Mapping[str, Any], scheme: Scheme) -> dict[str, float | None]:
    """Return the figure of one picture that grades it."""
    if scheme.shuffle:
        return {'neighbour gain': beyond_chance(row['metrics'], row['floors'])}
    return {'ssim': row['metrics'].get('ssim')}


def _reach(figures: Mapping[str, float | None]) -> float | None:
    return next(iter(figures.values()))


def advised(found: Sequence[Tried]) -> Tried | None:
    """Return the setting to take, None if none holds on ``LEAST`` pictures."""
    holding = [one for one in found if one.holds and one.pictures >= LEAST]

    def rank(one: Tried) -> tuple[bool, float, float, bool]:
        cost = one.accuracy
        return cost is None, -cost.encrypted if cost else 0.0, one.measures.lost, one.name is None

    return min(holding, key=rank, default=None)


def nearest(found: Sequence[Tried]) -> Tried | None:
    """Return the setting of which least came back, None if none was graded."""

    def rank(one: Tried) -> tuple[int, int, float]:
        figures = [one.figures.get(name) for name in ('neighbour gain', 'ssim')]
        return GRADES.index(str(one.grade)), one.exposed, max((f for f in figures if f is not None), default=0.0)

    return min((one for one in found if one.grade), key=rank, default=None)
