"""Attack validation images under each scheme of the frontier: one json for each scheme."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent / 'docs'))  # ends of the path: nothing there hides a package

from collect import rows_of
from frontier_settings import SETTINGS

from hii_mm import Scheme, attack
from hii_mm.attacks.report.about import processor
from hii_mm.files import write_atomically

GALLERY = 200  # further images among which a recovered picture must find its own


def attack_all(args: argparse.Namespace) -> None:
    """Attack each scheme, unless its json is there."""
    folder = args.out / 'attacks'
    folder.mkdir(parents=True, exist_ok=True)
    shown, gallery = sample(args.data / 'val', args.images)
    for name in args.settings:
        path, scheme = folder / f'{name}.json', SETTINGS[name].built
        if scheme is None:
            continue
        if path.is_file():
            print(f'frontier: {path} is there already')
            continue
        record = attacked(name, scheme, shown, gallery, args)
        write_atomically(path, (json.dumps(record, indent=1) + '\n').encode())
        print(f'frontier: {path}: {sum(row["seconds"] * row["runs"] for row in record["attacks"]):.0f} s', flush=True)


def sample(folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """Return ``count`` files spread evenly over the classes, and ``GALLERY`` others, spread likewise."""
    files = sorted(folder.rglob('*.png'))
    chosen = [files[k * len(files) // count] for k in range(count)]
    rest = [path for path in files if path not in set(chosen)]
    return chosen, [rest[k * len(rest) // GALLERY] for k in range(min(GALLERY, len(rest)))]


def attacked(
    name: str, scheme: Scheme, shown: list[Path], gallery: list[Path], args: argparse.Namespace
) -> dict[str, Any]:
    """Attack the images under a scheme, and return what is kept."""
    names = [*args.attacks, 'context'] if args.checkpoint and 'context' not in args.attacks else args.attacks
    checkpoints = {'context': args.checkpoint} if args.checkpoint else None
    report = attack(
        shown, scheme, attacks=names, size=0, limit=len(shown), public=gallery, jobs=1, checkpoints=checkpoints
    )
    return {
        'setting': name,
        'scheme': scheme.label,
        'images': len(shown),
        'gallery': len(shown) + len(gallery),
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
