"""Attack validation images under each scheme of the frontier: one json for each scheme."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).parent / 'docs'))  # ends of the path: nothing there hides a package

from collect import rows_of
from frontier_settings import SETTINGS

from hii_mm import Scheme, attack
from hii_mm.attacks.report.about import processor
from hii_mm.attacks.training import train_attack
from hii_mm.files import write_atomically

GALLERY = 200  # further images among which a recovered picture must find its own
PUBLIC = 2000  # training images that the attack context learns from


def attack_all(args: argparse.Namespace) -> None:
    """Attack each scheme, unless its json is there: NAME.json, or NAME-trained.json with --steps."""
    folder = args.out / 'attacks'
    folder.mkdir(parents=True, exist_ok=True)
    shown, gallery = sample(args.data / 'val', args.images)
    if args.noise:
        shown, gallery = (noisy(files, args) for files in (shown, gallery))
    for name in args.settings:
        scheme = SETTINGS[name].built
        if scheme is None or (args.steps and not scheme.shuffle):
            continue
        path = folder / (f'{name}-trained.json' if args.steps else f'{name}.json')
        if path.is_file():
            print(f'frontier: {path} is there already')
            continue
        context = learned(name, scheme, args) if args.steps else None
        record = attacked(name, scheme, shown, gallery, context, args)
        write_atomically(path, (json.dumps(record, indent=1) + '\n').encode())
        print(f'frontier: {path}: {sum(row["seconds"] * row["runs"] for row in record["attacks"]):.0f} s', flush=True)


def sample(folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """Return ``count`` files spread evenly over the classes, and ``GALLERY`` others, spread likewise."""
    files = sorted(folder.rglob('*.png'))
    chosen = spread(files, count)
    return chosen, spread([path for path in files if path not in set(chosen)], GALLERY)


def spread(files: list[Path], count: int) -> list[Path]:
    """Return at most ``count`` files at even distances."""
    count = min(count, len(files))
    return [files[k * len(files) // count] for k in range(count)]


def noisy(files: list[Path], args: argparse.Namespace) -> list[Path]:
    """Write files with noise into the folder of the runs; a shuffle of them is the noisy shuffle."""
    folder, rng = args.work_dir / f'noise-{args.noise:g}', np.random.default_rng(0)
    made = []
    for path in files:
        own = folder / path.relative_to(args.data)
        own.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            Image.fromarray(with_noise(np.array(image.convert('RGB')), args.noise, rng)).save(own)
        made.append(own)
    return made


def with_noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Return a uint8 image with normal noise of each value, rounded and clipped to [0, 255]."""
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(deviation)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def learned(name: str, scheme: Scheme, args: argparse.Namespace) -> dict[str, Any]:
    """Train the attack context on training images under a scheme, unless that was done, and return what is kept of it.

    ``{'file': ..., 'photos': ..., 'curve': ...}``; the learning curve has CPU seconds and, of images held out,
    the share of right neighbours that are ranked first.
    """
    import torch

    path = args.work_dir / f'context-{name}-{args.steps}.pt'
    public = spread(sorted((args.data / 'train').rglob('*.png')), PUBLIC)
    if args.noise:
        public = noisy(public, args)
    if not path.is_file():
        with Image.open(public[0]) as first:
            size = first.width
        print(f'frontier: learning to attack {name}, {args.steps} steps', flush=True)
        unfinished = path.with_name(f'{path.name}.part').is_file()
        train_attack('context', public, scheme, path, steps=args.steps, size=size, resume=unfinished)
    curve = torch.load(path, weights_only=True)['curve']
    points = [{key: round(value, 3) for key, value in curve[k].items()} for k in range(4, len(curve), 5)]
    return {'file': path, 'photos': len(public), 'curve': points}


def attacked(
    name: str,
    scheme: Scheme,
    shown: list[Path],
    gallery: list[Path],
    context: dict[str, Any] | None,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Attack the images under a scheme, and return what is kept."""
    checkpoints = {'context': context.pop('file')} if context else None
    report = attack(
        shown, scheme, attacks=args.attacks, size=0, limit=len(shown), public=gallery, jobs=1, checkpoints=checkpoints
    )
    return {
        'setting': name,
        'scheme': scheme.label,
        'images': len(shown),
        'gallery': len(shown) + len(gallery),
        'noise': args.noise,
        'context': context,
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
