"""Attack validation images under each scheme of the frontier: one json for each scheme."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).parent / 'docs'))  # ends of the path: nothing there hides a package

from collect import rows_of
from frontier_settings import SETTINGS

from hii_mm import Scheme, attack
from hii_mm.attacks.evaluation.gallery import SIZE
from hii_mm.attacks.report.about import processor
from hii_mm.attacks.solver import seam_files
from hii_mm.attacks.training import train_attack
from hii_mm.files import write_atomically

PUBLIC = 2000  # training images that the attack context learns from


def attack_all(args: argparse.Namespace) -> None:
    """Attack each scheme, unless its json is there: NAME.json, or NAME-trained.json with --steps."""
    folder = args.out / 'attacks'
    folder.mkdir(parents=True, exist_ok=True)
    for name in args.settings:
        scheme = SETTINGS[name].built
        if scheme is None or (args.steps and not scheme.shuffle):
            continue
        path = folder / (f'{name}-trained.json' if args.steps else f'{name}.json')
        if path.is_file():
            print(f'frontier: {path} is there already')
            continue
        pictures = Pictures(args, SETTINGS[name].option)
        with seams_of_their_own(SETTINGS[name].option):
            context = learned(name, scheme, pictures, args) if args.steps else None
            record = attacked(name, scheme, pictures, context, args)
        write_atomically(path, (json.dumps(record, indent=1) + '\n').encode())
        print(f'frontier: {path}: {sum(row["seconds"] * row["runs"] for row in record["attacks"]):.0f} s', flush=True)


def others(folder: Path) -> list[Path]:
    """Return training images, spread over the classes and in any order, for a gallery and for measures of seams.

    A recovered picture must find its own among those and the attacked ones, of
    which a gallery takes its first ``SIZE``: any part of them has all classes.
    """
    files = spread(sorted(folder.rglob('*.png')), SIZE)
    return [files[k] for k in np.random.default_rng(0).permutation(len(files))]


def spread(files: list[Path], count: int) -> list[Path]:
    """Return at most ``count`` files at even distances."""
    count = min(count, len(files))
    return [files[k * len(files) // count] for k in range(count)]


@contextlib.contextmanager
def seams_of_their_own(option: str | None) -> Iterator[None]:
    """Let attacks fit seams to the pieces of an option, and not take those shipped for whole patches of that size."""
    shipped = seam_files.SHIPPED
    if option:
        seam_files.SHIPPED = Path('none')
    try:
        yield
    finally:
        seam_files.SHIPPED = shipped


class Pictures:
    """What is attacked, what an attacker may learn from, and what pictures must be told apart from.

    With an option of :mod:`frontier_options` these are the pieces that it cuts,
    written below ``args.work_dir``.
    """

    def __init__(self, args: argparse.Namespace, option: str | None = None) -> None:
        self.args, self.option = args, option
        self.shown = self._cut(spread(sorted((args.data / 'val').rglob('*.png')), args.images))

    @property
    def public(self) -> list[Path]:
        """Training images that the attack context learns from."""
        return self._cut(spread(sorted((self.args.data / 'train').rglob('*.png')), PUBLIC))

    @property
    def others(self) -> list[Path]:
        """Training images, see :func:`others`."""
        return self._cut(others(self.args.data / 'train'))

    def _cut(self, files: list[Path]) -> list[Path]:
        if self.option is None:
            return files
        from frontier_options import cut_files

        return cut_files(files, self.args.data, self.option, self.args.work_dir / 'pieces' / self.option)


def learned(name: str, scheme: Scheme, pictures: Pictures, args: argparse.Namespace) -> dict[str, Any]:
    """Train the attack context on training images under a scheme, unless that was done, and return what is kept of it.

    ``{'file': ..., 'photos': ..., 'curve': ...}``; the learning curve has CPU seconds and, of images held out,
    the share of right neighbours that are ranked first.
    """
    import torch

    path = args.work_dir / f'context-{name}-{args.steps}.pt'
    public = pictures.public
    if not path.is_file():
        with Image.open(public[0]) as first:
            size = min(first.size)
        print(f'frontier: learning to attack {name}, {args.steps} steps', flush=True)
        unfinished = path.with_name(f'{path.name}.part').is_file()
        train_attack('context', public, scheme, path, steps=args.steps, size=size, resume=unfinished)
    curve = torch.load(path, weights_only=True)['curve']
    points = [{key: round(value, 3) for key, value in curve[k].items()} for k in range(4, len(curve), 5)]
    return {'file': path, 'photos': len(public), 'curve': points}


def attacked(
    name: str, scheme: Scheme, pictures: Pictures, context: dict[str, Any] | None, args: argparse.Namespace
) -> dict[str, Any]:
    """Attack the images under a scheme, and return what is kept."""
    report = attack(
        pictures.shown,
        scheme,
        attacks=args.attacks,
        size=0,
        limit=len(pictures.shown),
        public=pictures.others,
        jobs=1,
        checkpoints={'context': context['file']} if context else None,
    )
    return {
        'setting': name,
        'scheme': SETTINGS[name].label,
        'images': len(pictures.shown),
        'gallery': SIZE,
        'context': context and {key: context[key] for key in ('photos', 'curve')},
        'attacks': [row for setting in report.data['settings'] for row in rows_of(setting)],
        'not_run': [
            f'{row["name"]}: {row.get("reason", "not run")}'
            for setting in report.data['settings']
            for row in setting['attacks']
            if row['status'] == 'not run'
        ],
        'machine': args.machine or f'{processor()}, no GPU',
        'date': time.strftime('%Y-%m-%d'),
        'command': shlex.join(['python', *sys.argv]),
    }
