"""What encryption adds to copying a data set, and memory for a million images.

    python benchmarks/handover.py [--images N]

N (400) photos of 1024 x 768 as JPEG: `hii-mm encrypt` with two workers against
the same loop (read, decode, encode, write) without encryption and without a
manifest, and against itself with one worker. Then the manifest of a million
rows: written and read in a process of its own, whose peak memory is printed.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from hii_mm.encryption.keyed import read_key, write_new_key
from hii_mm.handover import Manifest, Request, Settings, encrypt
from hii_mm.handover.manifest import lines
from hii_mm.handover.picture_job import write_atomically
from hii_mm.handover.pictures import decode, encode
from hii_mm.handover.pool import ordered

ROWS = 1_000_000


class Copy:
    """The loop without encryption: decode, encode, write."""

    def __init__(self, src, dst):
        self.src, self.dst = src, dst

    def __call__(self, name):
        """Copy one picture."""
        data = encode(decode((self.src / name).read_bytes()), '.png')
        write_atomically(str(self.dst / f'{name}.png'), data)


def photos(folder, count):
    """Write ``count`` different crops of scikit-image's photographs as JPEG."""
    import skimage

    sources = [Path(skimage.__file__).parent / 'data' / name for name in ('astronaut.png', 'coffee.png', 'retina.jpg')]
    large = [Image.open(path).convert('RGB').resize((1424, 1068)) for path in sources]
    rng = np.random.default_rng(0)
    for i in range(count):
        left, top = rng.integers(0, 400), rng.integers(0, 300)
        large[i % len(large)].crop((left, top, left + 1024, top + 768)).save(folder / f'{i:04}.jpg', quality=90)


def timed(job):
    """Seconds of one call."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def million(folder):
    """Write and read a manifest of a million rows; prints its peak memory in MiB."""
    key = read_key(folder / 'key')
    row = {'sha256': '0' * 64, 'bytes': 1, 'mode': 'RGB', 'plain_hw': [768, 1024], 'encrypted_hw': [768, 1024]}
    rows = ({'name': f'class/{i:08}.png', **row} for i in range(ROWS))
    write_atomically(str(folder / 'manifest.json'), lines({'parameters': {}}, rows, key))
    assert sum(1 for _ in Manifest(str(folder)).rows(key)) == ROWS
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--images', type=int, default=400)
    parser.add_argument('--million', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.million:
        million(args.million)
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / 'src').mkdir()
        photos(root / 'src', args.images)
        key = write_new_key(root / 'key')
        names = sorted(os.listdir(root / 'src'))

        def copy(workers, out):
            out.mkdir()
            for _ in ordered(names, workers, Copy, (root / 'src', out)):
                pass

        def ours(workers, out):
            encrypt(Request(str(root / 'src'), str(out), key, Settings(), workers=workers))

        print(f'{platform.machine()}, {os.cpu_count()} cores, {args.images} photos of 1024 x 768')
        taken = {}
        for turn in range(2):  # in turn, so that a busy moment hits all alike; the better of two
            for name, job, workers in (('copy', copy, 2), ('encrypt', ours, 2), ('encrypt, one worker', ours, 1)):
                out = root / f'{name}{turn}'
                seconds = timed(lambda job=job, workers=workers, out=out: job(workers, out))
                taken[name] = min(seconds, taken.get(name, seconds))
        for name, seconds in taken.items():
            print(f'{name:24}{args.images / seconds:8.1f} images/s')
        print(f'throughput of encrypting to copying, two workers  {taken["copy"] / taken["encrypt"]:.2f}')
        print(
            f'two workers to one                                {taken["encrypt, one worker"] / taken["encrypt"]:.2f}'
        )
        command = [sys.executable, __file__, '--million', str(root)]
        print(f'peak memory, manifest of {ROWS:,} rows       {subprocess.check_output(command, text=True).strip()} MiB')


if __name__ == '__main__':
    main()
