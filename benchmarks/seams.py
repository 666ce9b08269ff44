"""Measure how often the true neighbour is ranked first by the shipped seam models, and the CPU milliseconds of scores.

    python benchmarks/seams.py [SETTING ...] [--photos data/gcompris/test] [--count 40] [--json docs/data/seams.json]

Middle squares of 224 x 224 pixels, of photographs that no model was fitted to
and of scikit-image's and scikit-learn's 14. Milliseconds are for one of the
two directions, one thread.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import record

from hii_mm import Scheme
from hii_mm.attacks.evaluation.photos import load_pictures, picture_files, sample_photos
from hii_mm.attacks.evaluation.retrieval import Retrieval
from hii_mm.attacks.solver.pieces import before_shuffle, classes, plain_cores
from hii_mm.attacks.solver.seam_files import setting_of
from hii_mm.attacks.solver.seams import posteriors, seam_model

ROOT = Path(__file__).parents[1]
SCHEMES = [
    *(Scheme(16, gap=gap) for gap in range(3)),
    *(Scheme(16, strategy='both', gap=gap) for gap in (0, 1)),
    Scheme(32, gap=2),
    *(Scheme(8, gap=gap) for gap in (0, 2)),
]


def ranked_first(photos, scheme):
    """Return the share of true neighbours that are ranked first, the CPU ms of one direction, and the pieces."""
    model, shares, start = seam_model(scheme), [], time.process_time()
    for photo in photos:
        image = before_shuffle(photo, scheme).round()
        pieces = plain_cores(image, scheme.shuffle)
        itself = (np.arange(len(pieces)),) * 2
        upright = np.ascontiguousarray(pieces.swapaxes(1, 2))
        right, down = (posteriors(model.scores(part, part), itself) for part in (pieces, upright))
        grid = tuple(length // side for length, side in zip(image.shape, scheme.shuffle.patch_size))
        shares.append(Retrieval.calculate(right, down, np.arange(len(pieces)), grid, classes(pieces)))
    return np.nanmean(shares), (time.process_time() - start) / len(photos) * 500, len(pieces)


def main():
    """Measure and print; write the figures if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('settings', nargs='*', metavar='SETTING', help='such as rs-p16-gap2; default: all')
    parser.add_argument('--photos', type=Path, default=ROOT / 'data' / 'gcompris' / 'test')
    parser.add_argument('--count', type=int, default=40, help='of these photos, evenly spread; default %(default)s')
    record.add_argument(parser)
    args = parser.parse_args()
    files = picture_files([args.photos])
    files = [files[i] for i in np.linspace(0, len(files) - 1, min(args.count, len(files))).astype(int)]
    sets = {'test': list(load_pictures(files, 224)[0].values()), '14': list(sample_photos(224).values())}
    machine, rows = f'{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}', []
    for scheme in SCHEMES:
        if args.settings and setting_of(scheme) not in args.settings:
            continue
        found = {name: ranked_first(photos, scheme) for name, photos in sets.items()}
        row = {'setting': scheme.label, 'pieces': found['14'][2], 'milliseconds': round(found['test'][1])}
        row |= {f'first_{name}': round(float(share), 3) for name, (share, _, _) in found.items()}
        rows.append(row)
        print(row, flush=True)
    record.write(args.json, rows, machine)


if __name__ == '__main__':
    main()
