"""The jigsaw's seconds an image, how they grow with the pieces, and the default report on 50 photos.

    python benchmarks/attacks.py [--report]

Photographs of scikit-image and scikit-learn, one thread for NumPy. The growth
is the slope of log seconds over log pieces, from 196 pieces on. With
``--report`` the default report on 50 crops of 224 x 224 is timed too, in a
process of its own, with its largest memory.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from hii_mm.attacks import Setting, make
from hii_mm.attacks.photos import sample_photos
from hii_mm.encryption import ShuffleParams

NAMES = ['chelsea.png', 'coffee.png', 'china.jpg']
SIDES = (14, 20, 28, 40, 64)


def jigsaw():
    """Print seconds an image by pieces and gap, and the growth."""
    for gap in (0, 2):
        times = {}
        for side in SIDES:
            taken = []
            for seed, photo in enumerate(sample_photos(side * 16, NAMES[: 3 if side < 40 else 1]).values()):
                setting = Setting([ShuffleParams(16, gap=gap)], photo.shape[:2])
                encrypted, _ = setting.encrypt(photo, np.random.default_rng(seed))
                taken.append(make('jigsaw').recover(encrypted, setting).seconds)
            times[side * side] = np.mean(taken)
            print(f'gap {gap}: {side * side:5} pieces {times[side * side]:8.2f} s an image', flush=True)
        slope = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)[0]
        print(f'gap {gap}: seconds grow as pieces ** {slope:.2f}')


def report():
    """Print minutes and memory of the default report on 50 crops of photographs."""
    with tempfile.TemporaryDirectory() as folder:
        rng, photos = np.random.default_rng(0), Path(folder) / 'photos'
        photos.mkdir()
        big = list(sample_photos(448).values())
        for number in range(50):
            photo = big[number % len(big)]
            y, x = rng.integers(0, 225, size=2)
            Image.fromarray(photo[y : y + 224, x : x + 224]).save(photos / f'{number:02}.png')
        start = time.perf_counter()
        command = [sys.executable, '-m', 'hii_mm.cli', 'attack', str(photos), '--strategy', 'shuffle', '--out']
        subprocess.run([*command, f'{folder}/out'], check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f'default report, 50 photos, 3 permutations: {time.perf_counter() - start:.0f} s, {used:.0f} MiB at most')


if __name__ == '__main__':
    print(f'{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}')
    jigsaw()
    if '--report' in sys.argv[1:]:
        report()
