"""Measure the jigsaw's seconds an image, how they grow with the pieces, and the default report on 50 photos.

    python benchmarks/attacks.py [--report] [--json docs/data/attack_speed.json]

Photographs of scikit-image and scikit-learn, one thread for NumPy. The growth
is the slope of log seconds over log pieces, from 196 pieces on. With
``--report`` the default report on 50 crops of 224 x 224 is timed too, in a
process of its own, with its largest memory.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import record
from PIL import Image

from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.evaluation.photos import sample_photos

NAMES = ['chelsea.png', 'coffee.png', 'china.jpg']
SIDES = (14, 20, 28, 40, 64)
PHOTOS, REPEATS = 50, 3  # of the default report


def jigsaw():
    """Print seconds an image by pieces and gap, and the growth; return the rows."""
    rows = []
    for gap in (0, 2):
        times, scheme = {}, Scheme(16, gap=gap)
        for side in SIDES:
            taken = []
            for seed, photo in enumerate(sample_photos(side * 16, NAMES[: 3 if side < 40 else 1]).values()):
                encrypted = scheme.plan(photo.shape, np.random.default_rng(seed)).apply(photo)
                taken.append(make('jigsaw').recover(encrypted, scheme, Given(plain_shape=photo.shape[:2])).seconds)
            times[side * side] = np.mean(taken)
            rows.append({'gap': gap, 'pieces': side * side, 'seconds': round(float(times[side * side]), 2)})
            print(f'gap {gap}: {side * side:5} pieces {times[side * side]:8.2f} s an image', flush=True)
        slope = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)[0]
        rows.append({'gap': gap, 'exponent': round(float(slope), 2)})
        print(f'gap {gap}: seconds grow as pieces ** {slope:.2f}')
    return rows


def report():
    """Print time and memory of the default report on 50 crops of photographs; return the row."""
    with tempfile.TemporaryDirectory() as folder:
        rng, photos = np.random.default_rng(0), Path(folder) / 'photos'
        photos.mkdir()
        big = list(sample_photos(448).values())
        for number in range(PHOTOS):
            photo = big[number % len(big)]
            y, x = rng.integers(0, 225, size=2)
            Image.fromarray(photo[y : y + 224, x : x + 224]).save(photos / f'{number:02}.png')
        start = time.perf_counter()
        command = [sys.executable, '-m', 'hii_mm', 'attack', str(photos), '--strategy', 'shuffle', '--out']
        subprocess.run([*command, f'{folder}/out'], check=True, stdout=subprocess.DEVNULL)
        seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f'default report, {PHOTOS} photos, {REPEATS} plans each: {seconds:.0f} s, {used:.0f} MiB at most')
    return {'photos': PHOTOS, 'repeats': REPEATS, 'seconds': round(seconds), 'mebibytes': round(used)}


def main():
    """Measure and print; write the figures if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--report', action='store_true', help='time the default report too')
    record.add_argument(parser)
    args = parser.parse_args()
    machine = f'{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}'
    print(machine)
    rows = jigsaw() + ([report()] if args.report else [])
    record.write(args.json, rows, machine)


if __name__ == '__main__':
    main()
