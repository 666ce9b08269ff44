"""Fit the shipped seam models to public photographs, and how photographs look; write the sums of all shipped files.

    python tools/dev/fit_seams.py [--photos data/gcompris/learn] [--out hii_mm/attacks/shipped] [SETTING ...]

One model for each of ``SCHEMES``, or for those whose setting is named. About
half a minute each on one core. The same photographs, seed and NumPy give the
same files.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import argparse
import time
from pathlib import Path

import numpy as np

from hii_mm import Scheme
from hii_mm.attacks.evaluation.photos import load_pictures, picture_files
from hii_mm.attacks.solver import looks
from hii_mm.attacks.solver.seam_files import SHIPPED, setting_of
from hii_mm.attacks.solver.seams import SeamModel
from hii_mm.files import sha256_file

ROOT = Path(__file__).parents[2]
SCHEMES = [
    *(Scheme(16, gap=gap, tone=True) for gap in range(3)),
    *(Scheme(16, gap=gap) for gap in range(5)),
    *(Scheme(16, gap=2, noise=noise) for noise in (16, 32)),
    *(Scheme(8, gap=gap) for gap in range(3)),
    Scheme(8, gap=2, noise=16),
    *(Scheme(32, gap=gap) for gap in (0, 2)),
    *(Scheme(16, strategy='both', gap=gap) for gap in (0, 1)),
    *(Scheme(32, strategy='both', grid=grid, gap=gap) for grid in (2, 4) for gap in (0, 1)),
]


def write_sums(folder):
    """Write SHA256SUMS of all models in a folder, as ``sha256sum`` does."""
    files = sorted(path for path in folder.iterdir() if path.suffix in ('.npz', '.pt'))
    lines = [f'{sha256_file(path)[0]}  {path.name}\n' for path in files]
    (folder / 'SHA256SUMS').write_text(''.join(lines))


def main():
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('settings', nargs='*', metavar='SETTING', help='such as rs-p16-gap2; default: all')
    parser.add_argument('--photos', type=Path, default=ROOT / 'data' / 'gcompris' / 'learn')
    parser.add_argument('--out', type=Path, default=SHIPPED)
    args = parser.parse_args()
    schemes = {setting_of(scheme): scheme for scheme in SCHEMES}
    unknown = sorted(set(args.settings) - set(schemes))
    if unknown:
        parser.error(f'no such setting: {", ".join(unknown)}; there are {", ".join(schemes)}')
    photos = list(load_pictures(picture_files([args.photos]))[0].values())
    args.out.mkdir(parents=True, exist_ok=True)
    mean, precision = looks.fit(photos)
    np.savez(args.out / looks.FILE.name, mean=mean, precision=precision)
    for setting in args.settings or schemes:
        start = time.process_time()
        path = args.out / f'seams-{setting}.npz'
        SeamModel.fit(photos, schemes[setting]).save(path)
        print(f'{path.name}: {path.stat().st_size / 1000:.0f} kB, {time.process_time() - start:.0f} CPU s', flush=True)
    write_sums(args.out)


if __name__ == '__main__':
    main()
