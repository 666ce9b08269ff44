"""The public functions: attack images and report what is recovered; train attacks that learn."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..encryption import MasterKey, Scheme
from ..errors import InvalidTypeError, NothingToAttackError
from ..files import StrPath, check_writable
from ..progress import Progress, silent
from .arguments import attack_names, check_numbers, check_packages, options_of, sweep_of
from .attackers import FIRST
from .evaluation.cases import runs_of
from .evaluation.copies import check_outside_copy
from .evaluation.estimate import estimate
from .evaluation.runner import Runner
from .evaluation.sources import Images, Subject, load_public, load_subject
from .evaluation.sweep import Sweep
from .evaluation.trials import Encrypted, Trial, run_trials
from .evaluation.work import gallery_of
from .report.about import about as about_run
from .report.build import build
from .report.report import Report
from .training import Training, train_attack, trainable

__all__ = ['DEFAULT', 'Report', 'Training', 'attack', 'train_attack', 'trainable']

DEFAULT = FIRST  # names of the attacks that run unless others are named
WORTH_WORKERS = 20  # seconds of a run from which on worker processes are started
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
    annotations: StrPath | None = None,
    limit: int = 50,
    repeats: int | None = None,
    size: int = 224,
    budget_minutes: float | None = None,
    seed: int = 0,
    sweep: str | None = None,
    effort: float = 1.0,
    jobs: int | None = None,
    checkpoints: Mapping[str, StrPath] | None = None,
    out: StrPath | None = None,
    progress: Progress = silent,
    notice: Callable[[str], None] | None = None,
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
        attacks: names, see :func:`hii_mm.attacks.names`; None runs ``DEFAULT``, and
            ``annotations`` where some are given.
        truth: the plain folder that a copy was made from.
        key: the key of the copy or the path of its file; needed for the figures about places.
        encrypted: whether ``images`` are encrypted with ``scheme`` already.
        public: plain photos, not of the data set, for attacks that use some, and as more
            photos that a recovered picture must pick its own from.
        annotations: COCO file of plain photos, when a scheme is tried: boxes and outlines move
            with the patches, as ``hii-mm encrypt --ann`` moves them.
        limit: attack at most that many images.
        repeats: plans for each image when a scheme is tried; None is 1.
        size: when a scheme is tried, side of the middle square of each image, in pixels; 0 keeps it.
        budget_minutes: stop after this time; what did not run is listed.
        seed: of the plans that are tried and of what attackers are given.
        sweep: vary one parameter of ``scheme`` at a time, as in
            ``'gap=0:4,drop=0:0.75,noise=0:32:16,orient,tone,mixup'``; see :func:`.evaluation.sweep.parse`.
        effort: of attacks that search; 0 is a quick guess, 4 searches four times as long.
        jobs: worker processes, at most one for each image; None is one for each core where
            the run is estimated to take longer than it takes to start them. The results
            and their order do not depend on it. Each worker uses one thread.
        checkpoints: ``{attack: file}`` of attacks that learn.
        out: folder for results, pictures and the report. The same call again
            continues where it stopped. None keeps nothing on disk.
        progress: called after each result.
        notice: called once before anything is attacked, with a line about the time it will take.
        about: more fields for ``report.json``, such as ``command``.

    Raises:
        SourceError: missing images, an unknown scheme, or arguments that do not go together.
        NothingToAttackError: there are images, but none of them can be attacked.
        UsageError: another argument that is not accepted.
        CheckpointError: a file that is not a checkpoint of its attack.
        MissingPackageError: a package is not installed.
    """
    check_packages()
    chosen = attack_names(attacks, annotations is not None)
    check_numbers(limit, repeats, size, budget_minutes, seed, effort, jobs)
    if scheme is not None and not isinstance(scheme, Scheme):
        raise InvalidTypeError(f'scheme must be a hii_mm.Scheme, got {type(scheme).__name__}')
    if out is not None:
        check_outside_copy(out, 'the report folder')
        check_writable(out, f'the report folder {os.fspath(out)!r}')
    options = options_of(checkpoints or {}, chosen, effort)
    curves = sweep_of(sweep, scheme, encrypted)
    photos, skipped = load_public(public, size or PUBLIC_SIZE, out)
    subject = load_subject(
        images,
        scheme,
        truth=truth,
        key=key,
        encrypted=encrypted,
        size=size,
        limit=limit,
        out=out,
        annotations=annotations,
    )
    trials = _trials(subject, scheme, curves, repeats, seed)
    skipped += subject.left
    expected, jobs = _expected(subject, trials, chosen, repeats or 1, jobs)
    if notice is not None:
        notice(expected)
    gallery = gallery_of([subject.pictures, _plain(subject)], photos)
    with results_folder(out) as folder:
        total = len(chosen) * sum(len(list(trial.expected())) for trial in trials)
        seconds = None if budget_minutes is None else 60 * budget_minutes
        runner = Runner(folder, photos, seconds, seed, options, total, progress, gallery, jobs)
        skipped += [line for line in run_trials(runner, trials, chosen) if line not in skipped]
        if not runner.rows and not runner.not_run:
            if runner.interrupted:
                raise KeyboardInterrupt
            raise NothingToAttackError(f'no image could be attacked: {"; ".join(skipped[:3])}')
        mode = subject.mode + (f', seed {seed}' if subject.pictures else '')
        described = about_run(mode, seed, budget_minutes, runner.interrupted, skipped, jobs) | dict(about or {})
        report = Report(build(runner.rows, runner.not_run, described, curves), folder)
        if out is not None:
            report.write(out)
    return report


def _expected(
    subject: Subject, trials: Sequence[Encrypted | Trial], chosen: Sequence[str], repeats: int, jobs: int | None
) -> tuple[str, int]:
    """Return what the run will take, in words, and the number of worker processes."""
    runs = [(case.scheme, case.plain_shape or case.encrypted.shape) for case in subject.cases]
    for trial in trials:
        if isinstance(trial, Trial):
            shapes = [picture.shape for picture in trial.pictures.values()]
            runs += [(trial.scheme, shape) for shape in shapes for _ in range(runs_of(trial.scheme, repeats))]
    cost = estimate(runs, chosen, len(subject.pictures) or len(subject.cases))
    if jobs is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
        jobs = cores if cost.seconds >= WORTH_WORKERS else 1
    jobs = max(1, min(jobs, len(runs)))
    return cost.words(jobs), jobs


def _plain(subject: Subject) -> dict[str, np.ndarray]:
    """Return the plain images of cases, where they are known."""
    return {case.name: case.plain for case in subject.cases if case.plain is not None}


def _trials(
    subject: Subject, scheme: Scheme | None, curves: Sweep, repeats: int | None, seed: int
) -> list[Encrypted | Trial]:
    """Return everything to run: the cases, or the pictures under each scheme."""
    if not subject.pictures or scheme is None:
        return [Encrypted(subject.cases)]
    schemes = [each for values in curves.values() for _, each in values] or [scheme]
    return [Trial(subject.pictures, each, repeats or 1, seed, subject.objects) for each in schemes]


@contextlib.contextmanager
def results_folder(out: StrPath | None) -> Iterator[StrPath]:
    """Yield the folder of the results, a temporary one for None."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix='hii-mm-') as folder:
        yield folder
