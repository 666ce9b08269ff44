"""Estimate time and memory of the paper's trainings from the sizes of our configs. Nothing is trained.

    python tools/reproduce/estimate.py [CONFIG...] [--gpus 8] [--tflops 50] [--json FILE]

A forward pass of L layers of width D on N tokens takes ``L (12 N D^2 + 2 N^2 D)``
multiply-adds, a training step three times as many. Memory: weights, gradients and
AdamW's two moments in float32, and activations after Korthikanti et al.
(arXiv 2205.05198), ``L N D (34 + 5 heads N / D)`` bytes in 16 bits, twice that in 32.
Detection heads, data loading and evaluation are left out. Needs the standard library alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZES = {'tiny': (192, 12, 3), 'small': (384, 12, 6), 'base': (768, 12, 12)}  # width, layers, heads
IMAGES = {'in1k': 1_281_167, 'coco': 118_287}
PATCH, DET_TOKENS = 16, 100
NAME = re.compile(
    r'(?P<model>pevit|vit|yolos|peyolos)-(?P<size>tiny|small|base)(?=[-_]).*?8xb(?P<batch>\d+)-.*?(?P<epochs>\d+)e_(?P<data>in1k|coco)$'
)
SIDES = {'tiny': (256, 608), 'small': (480, 800), 'base': (480, 800)}  # of COCO's pictures in training, the shorter
ASPECT, LONGEST = 4 / 3, 1333


@dataclass(frozen=True)
class Estimate:
    """What one training takes.

    Attributes:
        parameters: of the backbone, millions.
        gflops: of a forward pass of a picture of mean size; a multiply-add counts as two.
        hours: on all GPUs.
        gib: memory of one GPU, in float32, for pictures of the largest size.
    """

    parameters: float
    gflops: float
    hours: float
    gib: float


def tokens(data: str, size: str) -> tuple[float, float]:
    """Return the tokens of a picture of mean size and of the largest."""
    if data == 'in1k':
        return (count := (224 // PATCH) ** 2 + 1), count
    low, high = SIDES[size]
    short = (low + high) / 2
    largest = high * min(high * ASPECT, LONGEST)
    return short * short * ASPECT / PATCH**2 + DET_TOKENS + 1, largest / PATCH**2 + DET_TOKENS + 1


def estimate(name: str, gpus: int, tflops: float) -> Estimate:
    """Estimate the training of a config by the stem of its file.

    Raises:
        SystemExit: a name of another kind.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise SystemExit(f'estimate: {name!r} is not MODEL-SIZE..._8xbN-...Ee_in1k or ..._coco')
    width, layers, heads = SIZES[match['size']]
    mean, most = tokens(match['data'], match['size'])
    forward = 2 * layers * (12 * mean * width**2 + 2 * mean**2 * width)
    parameters = layers * 12 * width**2
    steps = IMAGES[match['data']] * int(match['epochs'])
    activations = 2 * int(match['batch']) * layers * most * width * (34 + 5 * heads * most / width)
    return Estimate(
        parameters=parameters / 1e6,
        gflops=forward / 1e9,
        hours=3 * forward * steps / (gpus * tflops * 1e12) / 3600,
        gib=(16 * parameters + activations) / 2**30,
    )


def main(argv: list[str] | None = None) -> int:
    """Print the estimates, or write them for the documentation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='*', help='(default: all of ImageNet and COCO)')
    parser.add_argument('--gpus', type=int, default=8)
    parser.add_argument('--tflops', type=float, default=50, help='that one GPU sustains (50)')
    parser.add_argument('--json', type=Path, metavar='FILE')
    args = parser.parse_args(argv)
    stems = [Path(config).stem for config in args.configs] or sorted(
        path.stem for path in ROOT.glob('configs/*/*.py') if NAME.fullmatch(path.stem)
    )
    rows = [{'config': stem, **vars(estimate(stem, args.gpus, args.tflops))} for stem in stems]
    for row in rows:
        print(
            f'{row["config"]}: about {row["hours"]:.0f} h on {args.gpus} GPUs at {args.tflops:g} TFLOP/s each, '
            f'{row["gib"]:.0f} GiB a GPU (an estimate)'
        )
    if args.json:
        head = {
            'command': 'python tools/reproduce/estimate.py --json docs/data/reproduce.json',
            'date': '2026-11-29',
            'kind': 'estimated, not run,',
            'machine': f'{args.gpus} GPUs that sustain {args.tflops:g} TFLOP/s each',
        }
        lines = ',\n'.join(
            '  ' + json.dumps({k: round(v, 2) if k != 'config' else v for k, v in row.items()}) for row in rows
        )
        args.json.write_text(
            json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + lines + '\n ]\n}\n', encoding='utf-8'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
