"""The public functions: attack images and report what is recovered; train attacks that learn."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import math
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..encryption import MasterKey, Scheme, checks
from ..errors import (
    CheckpointError,
    InvalidTypeError,
    InvalidValueError,
    MissingPackageError,
    NothingToAttackError,
    UsageError,
)
from ..files import StrPath, check_writable
from ..progress import Progress, silent
from . import learning
from .attackers import FIRST, attack_class, names
from .evaluation.copies import check_outside_copy
from .evaluation.runner import Runner
from .evaluation.sources import Images, load_public, load_subject
from .evaluation.sweep import Sweep, parse
from .evaluation.trials import Encrypted, Trial, run_trials
from .report.build import build
from .report.report import Report
from .training import Training, train_attack, trainable

__all__ = ['DEFAULT', 'Report', 'Training', 'attack', 'train_attack', 'trainable']

DEFAULT = FIRST  # names of the attacks that run unless others are named
PACKAGES = ('jinja2', 'matplotlib', 'scipy', 'skimage')
PUBLIC_SIZE = 224  # pixels; of public photos where images keep their size


def attack(
    images: Images,
    scheme: Scheme | None = None,
    *,
    attacks: Sequence[str] | None = None,
    truth: StrPath | None = None,
    key: MasterKey | StrPath | None = None,
    encrypted: bool = False,
    public: Images = (),
    limit: int = 50,
    repeats: int | None = None,
    size: int = 224,
    budget_minutes: float | None = None,
    seed: int = 0,
    sweep: str | None = None,
    checkpoints: Mapping[str, StrPath] | None = None,
    out: StrPath | None = None,
    progress: Progress = silent,
    about: Mapping[str, Any] | None = None,
) -> Report:
    """Attack encrypted images, and report what was recovered.

    There are three kinds of images. Of a folder that ``hii-mm encrypt`` wrote,
    the scheme is known; with ``truth`` and ``key`` the figures are exact. Plain
    photos are encrypted with ``scheme`` first, to try it. Images that are
    encrypted already (``encrypted=True``) are attacked without truth.

    Ctrl-C ends the run early: the report then holds what ran, and
    ``report.interrupted`` is True.

    Args:
        images: an encrypted copy; or one or several files and folders; or
            arrays, (H, W) or (H, W, C), as a list or by name.
        scheme: to try, or of images that are encrypted already.
        attacks: names, see :func:`hii_mm.attacks.names`; None runs ``DEFAULT``.
        truth: the plain folder that a copy was made from.
        key: the key of the copy or the path of its file; needed for the figures about places.
        encrypted: whether ``images`` are encrypted with ``scheme`` already.
        public: plain photos, not of the data set, for attacks that use some.
        limit: attack at most that many images.
        repeats: plans for each image when a scheme is tried; 3, or 1 with a sweep.
        size: when a scheme is tried, side of the middle square of each image, in pixels; 0 keeps it.
        budget_minutes: stop after this time; what did not run is listed.
        seed: of the plans that are tried and of what attackers are given.
        sweep: vary one parameter of ``scheme`` at a time, as in
            ``'gap=0:4,drop=0:0.75,orient,mixup'``; see :func:`.evaluation.sweep.parse`.
        checkpoints: ``{attack: file}`` of attacks that learn.
        out: folder for results, pictures and the report. The same call again
            continues where it stopped. None keeps nothing on disk.
        progress: called after each result.
        about: more fields for ``report.json``, such as ``command``.

    Raises:
        SourceError: missing images, an unknown scheme, or arguments that do not go together.
        NothingToAttackError: there are images, but none of them can be attacked.
        UsageError: another argument that is not accepted.
        CheckpointError: a file that is not a checkpoint of its attack.
        MissingPackageError: a package is not installed.
    """
    _check_packages()
    chosen = _attack_names(attacks)
    _check_numbers(limit, repeats, size, budget_minutes, seed)
    if scheme is not None and not isinstance(scheme, Scheme):
        raise InvalidTypeError(f'scheme must be a hii_mm.Scheme, got {type(scheme).__name__}')
    if out is not None:
        check_outside_copy(out, 'the report folder')
        check_writable(out, f'the report folder {os.fspath(out)!r}')
    options = _options(checkpoints or {}, chosen)
    curves = _sweep(sweep, scheme, encrypted)
    photos, skipped = load_public(public, size or PUBLIC_SIZE, out)
    subject = load_subject(images, scheme, truth=truth, key=key, encrypted=encrypted, size=size, limit=limit, out=out)
    trials = _trials(subject.pictures, subject.cases, scheme, curves, repeats, seed)
    skipped += subject.left
    with _folder(out) as folder:
        total = len(chosen) * sum(len(list(trial.expected())) for trial in trials)
        seconds = None if budget_minutes is None else 60 * budget_minutes
        runner = Runner(folder, photos, seconds, seed, options, total, progress)
        skipped += [line for line in run_trials(runner, trials, chosen) if line not in skipped]
        if not runner.rows and not runner.not_run:
            if runner.interrupted:
                raise KeyboardInterrupt
            raise NothingToAttackError(f'no image could be attacked: {"; ".join(skipped[:3])}')
        mode = subject.mode + (f', seed {seed}' if subject.pictures else '')
        described = _about(mode, seed, budget_minutes, runner.interrupted, skipped) | dict(about or {})
        report = Report(build(runner.rows, runner.not_run, described, curves), folder)
        if out is not None:
            report.write(out)
    return report


def _check_packages() -> None:
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


def _attack_names(attacks: Sequence[str] | None) -> list[str]:
    """Return the attacks to run, each once.

    Raises:
        InvalidTypeError, InvalidValueError: an unknown attack, or none.
    """
    if isinstance(attacks, str):
        raise InvalidTypeError(f'attacks must be a list of names, got the text {attacks!r}')
    chosen = list(dict.fromkeys(DEFAULT if attacks is None else attacks))
    if not chosen:
        raise InvalidValueError(f'no attacks are named (--attacks): choose among {", ".join(names())}')
    for name in chosen:
        attack_class(name)
    return chosen


def _check_numbers(limit: int, repeats: int | None, size: int, minutes: float | None, seed: int) -> None:
    """Raise InvalidTypeError or InvalidValueError for numbers that make no sense."""
    checks.whole('limit', limit, 1)
    checks.whole('repeats', 1 if repeats is None else repeats, 1)
    checks.whole('size', size, 0)
    checks.whole('seed', seed, 0)
    if minutes is not None and not (math.isfinite(minutes) and minutes >= 0):
        raise InvalidValueError(f'budget_minutes must be a number of at least 0, got {minutes!r}')


def _sweep(text: str | None, scheme: Scheme | None, encrypted: bool) -> Sweep:
    """Return the schemes of a sweep, none without one.

    Raises:
        UsageError: a sweep that is not accepted, or nothing that can be varied.
    """
    if text is None:
        return {}
    if scheme is None or encrypted:
        raise UsageError('a sweep needs plain photos and a scheme to vary (--strategy or --config)')
    return parse(text, scheme)


def _options(checkpoints: Mapping[str, StrPath], chosen: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the arguments of attacks with a checkpoint; each file is read once.

    Raises:
        UsageError: an attack that takes no checkpoint, or does not run.
        CheckpointError: a file that is missing or of another kind.
        MissingPackageError: torch is not installed.
    """
    found, taking = {}, [name for name in names() if 'checkpoint' in inspect.signature(attack_class(name)).parameters]
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
        found[name] = {'checkpoint': os.fspath(file)}
    return found


def _trials(
    pictures: Mapping[str, np.ndarray],
    cases: Sequence[Any],
    scheme: Scheme | None,
    curves: Sweep,
    repeats: int | None,
    seed: int,
) -> list[Encrypted | Trial]:
    """Return everything to run: the cases, or the pictures under each scheme."""
    if not pictures or scheme is None:
        return [Encrypted(cases)]
    count = repeats or (1 if curves else 3)
    schemes = [each for values in curves.values() for _, each in values] or [scheme]
    return [Trial(pictures, each, count, seed) for each in schemes]


@contextlib.contextmanager
def _folder(out: StrPath | None) -> Iterator[StrPath]:
    """Yield the folder of the results, a temporary one for None."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix='hii-mm-') as folder:
        yield folder


def _about(mode: str, seed: int, minutes: float | None, interrupted: bool, skipped: Sequence[str]) -> dict[str, Any]:
    """Return how the report came about, for ``report.json``."""
    return {
        'created': time.strftime('%Y-%m-%d %H:%M'),
        'command': 'hii_mm.attack',
        'machine': f'{platform.machine()}, Python {platform.python_version()}',
        'mode': mode,
        'seed': seed,
        'budget_minutes': minutes,
        'interrupted': interrupted,
        'skipped_files': list(skipped),
    }
