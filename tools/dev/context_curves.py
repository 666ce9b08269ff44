"""Write the learning curves of the shipped checkpoints of ``context`` for the documentation.

    python tools/dev/context_curves.py [--out docs/data/context_curves.json]

Each checkpoint holds its own: CPU minutes of training, and how often the true
neighbour was ranked first on every tenth photograph, which it did not learn from.
"""

import argparse
import json
from pathlib import Path

import torch

SHIPPED = Path(__file__).parents[2] / 'hii_mm' / 'attacks' / 'shipped'
MINUTES = (0.7, 1.2, 2, 3.3, 5, 8, 12, 18)


def rows():
    """Yield the points of each curve that lie nearest to ``MINUTES``."""
    for path in sorted(SHIPPED.glob('context-*.pt')):
        curve = [point for point in torch.load(path, weights_only=True)['curve'] if point['top1'] is not None]
        near = {min(curve, key=lambda point: abs(point['seconds'] / 60 - minutes))['step'] for minutes in MINUTES}
        setting = path.stem.removeprefix('context-')
        for point in curve:
            if point['step'] in near:
                minutes = round(point['seconds'] / 60, 1)
                yield {'setting': setting, 'step': point['step'], 'minutes': minutes, 'top1': round(point['top1'], 4)}


def main():
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('docs/data/context_curves.json'))
    out = parser.parse_args().out
    head = {
        'command': 'python tools/dev/train_shipped.py; python tools/dev/context_curves.py',
        'date': '2026-11-29',
        'machine': 'one core of an Intel Xeon with AMX, of noise and p 8 an AMD EPYC with AVX-512, other jobs beside',
    }
    lines = ',\n'.join('  ' + json.dumps(row) for row in rows())
    out.write_text(json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + lines + '\n ]\n}\n')


if __name__ == '__main__':
    main()
