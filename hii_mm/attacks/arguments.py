"""Check what :func:`hii_mm.attack` is called with, before anything runs."""

from __future__ import annotations

import importlib
import inspect
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..encryption import Scheme, checks
from ..errors import CheckpointError, InvalidTypeError, InvalidValueError, MissingPackageError, UsageError
from ..files import StrPath
from . import learning
from .attackers import FIRST, attack_class, names
from .evaluation.sweep import Sweep, parse

PACKAGES = ('jinja2', 'matplotlib', 'numba', 'scipy', 'skimage')
MOST_EFFORT = 100
EXTRA = ('annotations',)  # run too where boxes are given


def check_packages() -> None:
    """Import what is needed at the end too, so that nothing is missing then.

    Raises:
        MissingPackageError: one of them is not installed.
    """
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError as error:
            advice = "Run: pip install '.[attacks]' in a checkout of hii_mm"
            raise MissingPackageError(f'attacks need {package} ({error}). {advice}') from None


def attack_names(attacks: Sequence[str] | None, annotated: bool = False) -> list[str]:
    """Return the attacks to run, each once.

    Args:
        attacks: names; None takes the default ones, and ``annotations`` if there are some.
        annotated: whether there are annotations.

    Raises:
        InvalidTypeError, InvalidValueError: an unknown attack, or none.
    """
    if isinstance(attacks, str):
        raise InvalidTypeError(f'attacks must be a list of names, got the text {attacks!r}')
    chosen = list(dict.fromkeys((*FIRST, *EXTRA[: int(annotated)]) if attacks is None else attacks))
    if not chosen:
        raise InvalidValueError(f'no attacks are named (--attacks): choose among {", ".join(names())}')
    for name in chosen:
        attack_class(name)
    return chosen


def check_numbers(
    limit: int,
    repeats: int | None,
    size: int,
    minutes: float | None,
    seed: int,
    effort: float = 1.0,
    jobs: int | None = None,
) -> None:
    """Raise InvalidTypeError or InvalidValueError for numbers that make no sense."""
    checks.whole('limit', limit, 1)
    checks.whole('repeats', 1 if repeats is None else repeats, 1)
    checks.whole('size', size, 0)
    checks.whole('seed', seed, 0)
    checks.whole('jobs', 1 if jobs is None else jobs, 1)
    if not (math.isfinite(effort) and 0 <= effort <= MOST_EFFORT):
        raise InvalidValueError(f'effort must be a number from 0 to {MOST_EFFORT}, got {effort!r}')
    if minutes is not None and not (math.isfinite(minutes) and minutes >= 0):
        raise InvalidValueError(f'budget_minutes must be a number of at least 0, got {minutes!r}')


def sweep_of(text: str | None, scheme: Scheme | None, encrypted: bool) -> Sweep:
    """Return the schemes of a sweep, none without one.

    Raises:
        UsageError: a sweep that is not accepted, or nothing that can be varied.
    """
    if text is None:
        return {}
    if scheme is None or encrypted:
        raise UsageError('a sweep needs plain photos and a scheme to vary (--strategy or --config)')
    return parse(text, scheme)


def options_of(checkpoints: Mapping[str, StrPath], chosen: Sequence[str], effort: float) -> dict[str, dict[str, Any]]:
    """Return the arguments of attacks: effort where it is not 1, and checkpoints; each file is read once.

    Raises:
        UsageError: an attack that takes no checkpoint, or does not run.
        CheckpointError: a file that is missing or of another kind.
        MissingPackageError: torch is not installed.
    """
    found: dict[str, dict[str, Any]] = {name: {'effort': effort} for name in chosen if _takes(name, 'effort')}
    if effort == 1:
        found = {}
    taking = [name for name in names() if _takes(name, 'checkpoint')]
    for name, file in checkpoints.items():
        if name not in taking:
            raise UsageError(f'a checkpoint is for one of {", ".join(taking)}; got one for {name!r}')
        if name not in chosen:
            raise UsageError(f'checkpoint {os.fspath(file)} is for {name}, which is not among {", ".join(chosen)}')
        if not Path(file).is_file():
            raise CheckpointError(f'checkpoint not found: {os.fspath(file)}')
        trainer = attack_class(name).trainer
        if trainer is not None and issubclass(trainer, learning.NetworkTrainer):  # others have files of their own kind
            try:
                learning.read(file, name)
            except OSError as error:
                raise CheckpointError(f'checkpoint cannot be read: {os.fspath(file)}: {error.strerror}') from None
        found.setdefault(name, {})['checkpoint'] = os.fspath(file)
    return found


def _takes(name: str, argument: str) -> bool:
    return argument in inspect.signature(attack_class(name)).parameters
