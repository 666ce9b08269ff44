"""Knowledge that the runner gives an attacker beside the encrypted image: one provider for each need.

Everything is built from what an owner has, never from the key or the plan of
the attacked image, except for ``pairs``, which suppose one plan for all images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..base import Attack, Given
from .cases import Case

MANY = 40  # candidates at most
SHIFTS = ((3, 5), (9, 2), (6, 11))  # of the views of a mixed image, (down, right) in pixels
SAME_CROP = 11  # further views of an image with dropped patches


@dataclass(frozen=True)
class Scene:
    """The material that providers build from.

    Attributes:
        case: that is attacked.
        cases: all cases of the same scheme.
        public: plain photos that are not of the data set.
        seed: of everything random.
    """

    case: Case
    cases: Sequence[Case]
    public: Sequence[np.ndarray]
    seed: int

    def others(self) -> list[np.ndarray]:
        """Return the other plain images, each once."""
        found: dict[str, np.ndarray] = {}
        for other in self.cases:
            if other.plain is not None and other.name != self.case.name:
                found.setdefault(other.name, other.plain)
        return list(found.values())


class Need(NamedTuple):
    """Provider of one field of :class:`..base.Given`.

    Attributes:
        provide: returns the field's items; none if there is nothing to build them from.
        absent: why there are none for an owner, who has the plain images.
        withheld: why there are none for a trainer, who has not.
    """

    provide: Callable[[Scene], Sequence[Any]]
    absent: str
    withheld: str


def given_to(attack: type[Attack], scene: Scene) -> Given:
    """Return what an attack gets: the fields that it needs or uses, and the plain size."""
    parts = {field: tuple(PROVIDERS[field].provide(scene)) for field in (*attack.needs, *attack.uses)}
    return Given(plain_shape=scene.case.plain_shape, **parts)


def lacking(attack: type[Attack], given: Given, case: Case) -> str | None:
    """Return why an attack that needs more than it is given cannot run, or None."""
    needs = [PROVIDERS[need] for need in attack.needs if not len(getattr(given, need))]
    if not needs:
        return None
    return 'needs ' + ' and '.join(need.withheld if case.plain is None else need.absent for need in needs)


def _public(scene: Scene) -> Sequence[np.ndarray]:
    return scene.public


def _candidates(scene: Scene) -> Sequence[np.ndarray]:
    """Hide the plain image among others and public photos; without truth, only public photos."""
    plain = scene.case.plain
    if plain is None:
        return scene.public
    decoys = [*scene.others()[: MANY - 1], *scene.public]
    decoys = [photo for photo in decoys if not np.array_equal(photo, plain)][: MANY - 1]
    if not decoys:
        return ()
    place = int(np.random.default_rng(scene.seed).integers(len(decoys) + 1))
    return (*decoys[:place], plain, *decoys[place:])


def _pairs(scene: Scene) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """Encrypt another image of the same size as if there were one plan for all."""
    plain, plan = scene.case.plain, scene.case.plan
    if plain is None or plan is None:
        return ()
    alike = [other for other in scene.others() if other.shape == plain.shape]
    return [(other, plan.apply(other)) for other in alike[:1]]


def _views(scene: Scene) -> Sequence[tuple[np.ndarray, tuple[int, int]]]:
    """Encrypt the image several times.

    Mixed: three more, shifted by some pixels. Shuffled: one more, shifted by
    half a patch; with dropped patches eleven more of the same crop.
    """
    case, rng = scene.case, np.random.default_rng([scene.seed, 7])
    if case.plain is None:
        return ()
    shifts: Sequence[tuple[int, int]] = SHIFTS
    if case.scheme.shuffle:
        h, w = case.scheme.shuffle.patch_size
        shifts = [(0, 0)] * SAME_CROP if case.scheme.shuffle.drop_ratio else [(h // 2, w // 2)]
    views = [(case.encrypted, (0, 0))]
    for down, right in shifts:
        moved = np.ascontiguousarray(np.roll(case.plain, (-down, -right), axis=(0, 1)))
        views.append((case.scheme.plan(moved.shape, rng).apply(moved), (down, right)))
    return views


def _annotations(scene: Scene) -> Sequence[Mapping[str, Any]]:
    """Return the objects of the encrypted image, which a trainer has beside it."""
    return scene.case.annotations


PROVIDERS = {
    'public': Need(_public, 'public photos (--public)', 'public photos (--public)'),
    'candidates': Need(
        _candidates,
        'other photos to choose from (give some with --public)',
        'candidates, which only an owner has (or give photos with --public)',
    ),
    'pairs': Need(
        _pairs,
        'another plain image of the same size, and the places of its pieces (the key)',
        'a known plain image, which only an owner has',
    ),
    'views': Need(_views, 'several encryptions of the image', 'several encryptions, which only an owner has'),
    'annotations': Need(
        _annotations,
        'boxes or outlines of the image (a copy made with --ann, or --annotations)',
        'boxes or outlines of the image (a copy made with --ann)',
    ),
}
