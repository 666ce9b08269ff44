"""Train the attacks that learn."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..encryption import Scheme, checks
from ..errors import AttackRefusedError, HiiError, InvalidTypeError, InvalidValueError, SourceError, UsageError
from ..files import StrPath, check_writable
from ..progress import Progress, silent
from .attackers import attack_class, names
from .base import Resumable, Trainer
from .evaluation.photos import load_pictures, picture_files


def trainable() -> list[str]:
    """Return the names of the attacks that :func:`train_attack` can train."""
    return [name for name in names() if attack_class(name).trainer is not None]


class Training(NamedTuple):
    """The result of :func:`train_attack`.

    Attributes:
        path: of the checkpoint.
        attack: its name.
        scheme: that it was trained for.
        photos: number of photos.
        losses: of each step.
    """

    path: Path
    attack: str
    scheme: Scheme
    photos: int
    losses: list[float]


def train_attack(
    name: str,
    photos: StrPath | Sequence[StrPath],
    scheme: Scheme,
    out: StrPath,
    *,
    steps: int | None = None,
    seed: int = 0,
    size: int = 224,
    resume: bool = False,
    progress: Progress = silent,
) -> Training:
    """Train an attack on public photos that are encrypted with a scheme, and write its checkpoint.

    Args:
        name: one of :func:`trainable`.
        photos: files or folders of plain photos; some attacks need one folder for each class.
        scheme: that will be attacked.
        out: the checkpoint.
        steps: training steps; None takes the attack's own default.
        seed: of everything random.
        size: side of the images that will be attacked, in pixels.
        resume: go on with the training that left ``OUT.part``; attacks that keep one only.
        progress: called after each step, with the loss.

    Raises:
        UsageError: an argument that is not accepted, or an attack that cannot learn at this scheme or size.
        SourceError: no photos.
        CheckpointError: the part is of another training.
        KeyboardInterrupt: after what was learned so far was written to ``OUT.part``, by attacks that keep one;
            it can be used as a checkpoint.
        MissingPackageError: torch is not installed.
        HiiError: the training diverged; nothing is written.
    """
    trainer = _trainer(name, scheme, steps, seed, size)
    path = Path(out)
    if path.is_dir():
        raise UsageError(f'the checkpoint must be a file, but {path} is a folder')
    check_writable(path.parent, f'the folder of the checkpoint {str(path)!r}')
    part = _part(trainer, name, path, resume)
    pictures, labels = _training_photos(photos, size if trainer.labelled else 0)
    losses = trainer.train(pictures, labels if trainer.labelled else None, steps, progress)
    if not losses or not math.isfinite(losses[-1]):
        last = losses[-1] if losses else 'none'
        raise HiiError(f'training {name} diverged: the last loss is {last}, so {path} was not written')
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer.save(str(path))
    part.unlink(missing_ok=True)
    return Training(path, name, scheme, len(pictures), losses)


def _part(trainer: Trainer, name: str, path: Path, resume: bool) -> Path:
    """Return the path of the unfinished checkpoint, which a trainer that keeps one goes on from if asked to.

    Raises:
        UsageError: there is nothing to resume.
        CheckpointError: the file is of another training.
    """
    part = path.with_name(f'{path.name}.part')
    keeps = isinstance(trainer, Resumable)
    if resume and not (keeps and part.is_file()):
        why = f'{part} does not exist' if keeps else f'{name} keeps no unfinished checkpoints'
        raise UsageError(f'there is nothing to resume: {why}')
    if isinstance(trainer, Resumable):
        path.parent.mkdir(parents=True, exist_ok=True)
        trainer.part = part
        if resume:
            trainer.resume(part)
    return part


def _trainer(name: str, scheme: Scheme, steps: int | None, seed: int, size: int) -> Trainer:
    """Return the trainer of an attack.

    Raises:
        UsageError: arguments that are not accepted.
    """
    if not isinstance(scheme, Scheme):
        raise InvalidTypeError(f'scheme must be a hii_mm.Scheme, got {type(scheme).__name__}')
    trainer = attack_class(name).trainer
    if trainer is None:
        raise InvalidValueError(f'{name} does not learn; choose one of {", ".join(trainable())}')
    checks.whole('steps', 1 if steps is None else steps, 1)
    checks.whole('seed', seed, 0)
    checks.whole('size', size, 1)
    try:
        return trainer(scheme, (size, size), seed)
    except AttackRefusedError as error:
        raise UsageError(str(error)) from None


def _training_photos(photos: StrPath | Sequence[StrPath], size: int) -> tuple[list[np.ndarray], list[str]]:
    """Return photos, (H, W, 3) uint8 each, and the names of the folders that they are in.

    Args:
        photos: files and folders.
        size: side of the middle square that each becomes; 0 keeps it as it is.

    Raises:
        SourceError: no photo that can be read.
    """
    sources = [photos] if isinstance(photos, (str, os.PathLike)) else list(photos)
    found = [
        (picture, path.parent.name)
        for path in picture_files(sources)
        for picture in load_pictures([path], size)[0].values()
    ]
    if not found:
        raise SourceError(f'none of the pictures in {", ".join(map(str, sources))} can be read')
    pictures = [picture[..., None].repeat(3, 2) if picture.ndim == 2 else picture for picture, _ in found]
    return pictures, [label for _, label in found]
