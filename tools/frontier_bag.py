"""Name the item of validation images from the bag of their pieces, under each scheme of the frontier."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from frontier_attack import PUBLIC, spread
from frontier_run import interval
from frontier_settings import SETTINGS
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / 'benchmarks'))  # ends of the path: nothing there hides a package

from bag import Photos, right

from hii_mm.attacks.report.about import processor
from hii_mm.files import write_atomically

NAMED = 1000  # validation images


def bag_all(args: argparse.Namespace) -> None:
    """Train a linear classifier of bags for each scheme, unless its json is there."""
    folder = args.out / 'bags'
    folder.mkdir(parents=True, exist_ok=True)
    learn, test = labelled(args.data / 'train', PUBLIC), labelled(args.data / 'val', NAMED)
    for name in args.settings:
        path, scheme = folder / f'{name}.json', SETTINGS[name].built
        if scheme is None:
            continue
        if path.is_file():
            print(f'frontier: {path} is there already')
            continue
        start = time.process_time()
        hits = right(scheme, learn, test)
        record = {
            'setting': name,
            'scheme': scheme.label,
            'accuracy': round(float(np.mean(hits)), 4),
            'interval': [round(end, 4) for end in interval(float(np.mean(hits)), len(hits))],
            'training_images': len(learn[1]),
            'validation_images': len(hits),
            'cpu_seconds': round(time.process_time() - start, 1),
            'machine': args.machine or f'{processor()}, no GPU',
            'date': time.strftime('%Y-%m-%d'),
            'command': shlex.join(['python', *sys.argv]),
        }
        write_atomically(path, (json.dumps(record, indent=1) + '\n').encode())
        print(f'frontier: {path}: {record["accuracy"]:.1%}', flush=True)


def labelled(folder: Path, count: int) -> Photos:
    """Return at most ``count`` images, (H, W, 3) uint8, spread evenly over the classes, and their classes."""
    files = spread(sorted(folder.rglob('*.png')), count)
    images = []
    for path in files:
        with Image.open(path) as image:
            images.append(np.array(image.convert('RGB')))
    return images, [path.parent.name for path in files]
