"""Measure what more photographs bring to the attack ``context``: one training for each number of them.

    python tools/dev/context_data.py [--photographs 6 24 97] [--steps 1600] [--out docs/data/context_data.json]

RS on MI, patches of 16, 224 x 224. Each training sees some of the photographs of
``data/gcompris/learn`` only, and is measured on the same ones that it never sees, every
tenth. About five CPU minutes each for 1,600 steps on one core with matrix units for bfloat16.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from hii_mm import Scheme
from hii_mm.attacks.context.held_out import SHARE
from hii_mm.attacks.training import train_attack

ROOT = Path(__file__).parents[2]
SCHEME = Scheme(16, strategy='both')


def chosen(photos, count, folder):
    """Fill a folder with links to all photographs that are held out, and to ``count`` of the others, in turn."""
    held_out = photos[SHARE - 1 :: SHARE]
    learned = [photo for photo in photos if photo not in held_out]
    if not 1 <= count <= len(learned):
        raise SystemExit(f'context_data: --photographs must be in 1..{len(learned)}, got {count}')
    some = learned[:: max(1, len(learned) // count)][:count]
    for number in range(len(photos)):
        is_held_out = number % SHARE == SHARE - 1
        source = held_out[number // SHARE] if is_held_out else some[number % len(some)]
        (folder / f'{number:04d}{source.suffix}').symlink_to(source.resolve())


def measured(photos, count, steps):
    """Train once; return the row of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name) / 'photos', Path(name) / 'context.pt'
        folder.mkdir()
        chosen(photos, count, folder)
        train_attack('context', folder, SCHEME, out, steps=steps)
        curve = torch.load(out, weights_only=True)['curve']
    points = [point for point in curve if point['top1'] is not None]
    last = points[-1]
    best = max(point['top1'] for point in points)
    return {
        'photographs': count,
        'steps': last['step'],
        'minutes': round(last['seconds'] / 60, 1),
        'first': round(points[0]['top1'], 4),
        'top1': round(last['top1'], 4),
        'best': round(best, 4),
    }


def main():
    """Train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, default=ROOT / 'data' / 'gcompris' / 'learn')
    parser.add_argument('--photographs', type=int, nargs='+', default=[6, 24, 97], metavar='N')
    parser.add_argument('--steps', type=int, default=1600, metavar='N')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'data' / 'context_data.json')
    args = parser.parse_args()
    photos = sorted(args.photos.glob('*.webp'))
    if not photos:
        parser.error(f'no photographs in {args.photos}; run tools/dataset_converters/gcompris.py first')
    torch.set_num_threads(1)
    rows = []
    for count in args.photographs:
        rows.append(measured(photos, count, args.steps))
        print(rows[-1], flush=True)
    head = {
        'command': 'python tools/dev/context_data.py',
        'date': time.strftime('%Y-%m-%d'),
        'machine': 'one core of an Intel Xeon with AMX, other jobs beside',
    }
    lines = ',\n'.join('  ' + json.dumps(row) for row in rows)
    args.out.write_text(json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + lines + '\n ]\n}\n')


if __name__ == '__main__':
    main()
