"""Cases: encrypted images with their scheme, and the truth where the owner gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...encryption import Plan, Scheme
from ...errors import HiiError
from ..solver.grids import place_shape
from .objects import Objects


@dataclass(frozen=True)
class Case:
    """One encrypted image.

    Attributes:
        name: of the image; unique within a scheme together with ``repeat``.
        repeat: which of several encryptions of the same image this is.
        scheme: how it was encrypted.
        encrypted: (h, w[, C]).
        plain: (H, W[, C]), or None without truth.
        plan: how exactly it was encrypted, or None if that is not known.
        plain_shape: (h, w) of the plain image, where a trainer knows it.
        annotations: objects of the encrypted image as COCO has them, in the encrypted frame.
    """

    name: str
    repeat: int
    scheme: Scheme
    encrypted: np.ndarray
    plain: np.ndarray | None = None
    plan: Plan | None = None
    plain_shape: tuple[int, int] | None = None
    annotations: Sequence[Mapping[str, Any]] = ()


def try_scheme(
    pictures: Mapping[str, np.ndarray],
    scheme: Scheme,
    repeats: int = 3,
    seed: int = 0,
    objects: Objects | None = None,
) -> tuple[list[Case], list[str]]:
    """Encrypt plain pictures as an owner would.

    Args:
        pictures: ``{name: (H, W[, C])}``.
        scheme: to try.
        repeats: plans for each image; 1 if nothing is shuffled.
        seed: the same seed, order of pictures and parameters give the same plans.
        objects: annotations of the plain pictures, which move with their patches.

    Returns:
        The cases, and one line for each picture that cannot be encrypted.
    """
    cases, refused = [], []
    for number, (name, plain) in enumerate(pictures.items()):
        for repeat in range(runs_of(scheme, repeats)):
            try:
                plan = scheme.plan(plain.shape, np.random.default_rng([seed, number, repeat]))
                encrypted = plan.apply(plain)
            except HiiError as error:
                refused.append(f'{name}: {error}')
                break
            rows = objects.moved(name, plan) if objects else ()
            cases.append(Case(name, repeat, scheme, encrypted, plain, plan, plan.plain_shape, rows))
    return cases, refused


def runs_of(scheme: Scheme, repeats: int) -> int:
    """Return how often an image is encrypted: mixing alone is always the same."""
    return repeats if scheme.shuffle else 1


def encrypted_pictures(pictures: Mapping[str, np.ndarray], scheme: Scheme) -> tuple[list[Case], list[str]]:
    """Return cases without truth of pictures that are encrypted already, and a line for each that cannot be."""
    cases, refused = [], []
    for name, pixels in pictures.items():
        try:
            if scheme.shuffle:
                place_shape(scheme, pixels.shape)
        except HiiError as error:
            refused.append(f'{name}: {error}')
        else:
            cases.append(Case(name, 0, scheme, pixels))
    return cases, refused


def lost(case: Case) -> dict[str, float]:
    """Return the share of the patches that were dropped, and of the shuffled pixels that are missing, gaps and all."""
    if case.plan is None or case.plan.shuffle is None:
        return {}
    plan = case.plan.shuffle
    kept, pixels = plan.permutation.size / np.prod(plan.grid.shape), np.prod(plan.encrypted_shape)
    return {'dropped': float(1 - kept), 'missing': float(max(0, 1 - pixels / np.prod(plan.plain_shape)))}
