"""Compare encrypting a data set with copying it, and measure the memory of a manifest of a million images.

    python benchmarks/handover.py [--images N] [--json FILE]

N (400) photos of 1024 x 768 as JPEG: `hii-mm encrypt` with two workers against
the same loop (read, decode, encode, write) without encryption and without a
manifest, and against itself with one worker. Then a manifest of a million rows
is written and read in a process of its own, which reports its peak memory.
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
import record
from PIL import Image

from hii_mm import Manifest, Scheme, encrypt, read_key, write_new_key
from hii_mm.files import write_atomically
from hii_mm.handover.manifest import lines
from hii_mm.handover.pool import ordered
from hii_mm.handover.rows import Row
from hii_mm.images import decode, encode

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
    """Return the seconds of one call."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def million(folder, copy):
    """Write and read a manifest of a million rows with the head of another one; print the peak memory in MiB."""
    key = read_key(folder / 'key')
    head = {name: value for name, value in Manifest(copy).head.items() if name not in ('schema', 'version', 'images')}
    rows = (Row(f'class/{i:08}.png', '0' * 64, 1, 'RGB', (768, 1024), (768, 1024)) for i in range(ROWS))
    write_atomically(str(folder / 'manifest.json'), lines(head, rows, key))
    assert sum(1 for _ in Manifest(folder).rows(key)) == ROWS
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def throughput(root, count, key):
    """Return ``{(job, workers): seconds}``, the better of two runs each."""
    names = sorted(os.listdir(root / 'src'))

    def copy(workers, out):
        out.mkdir()
        for _ in ordered(names, workers, Copy, (root / 'src', out)):
            pass

    def ours(workers, out):
        encrypt(root / 'src', out, key=key, scheme=Scheme(), workers=workers)

    taken = {}
    for turn in range(2):  # in turn, so that a busy moment hits all alike
        for name, job, workers in (('copy', copy, 2), ('encrypt', ours, 2), ('encrypt', ours, 1)):
            out = root / f'{name}-{workers}-{turn}'
            seconds = timed(lambda job=job, workers=workers, out=out: job(workers, out))
            taken[name, workers] = min(seconds, taken.get((name, workers), seconds))
    return taken


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=400, metavar='N', help='photos to encrypt (%(default)s)')
    parser.add_argument('--million', type=Path, nargs=2, help=argparse.SUPPRESS)
    record.add_argument(parser)
    args = parser.parse_args()
    if args.million:
        million(*args.million)
        return
    machine = f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}'
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / 'src').mkdir()
        photos(root / 'src', args.images)
        print(f'{machine}, {args.images} photos of 1024 x 768')
        taken = throughput(root, args.images, write_new_key(root / 'key'))
        rows = []
        for (job, workers), seconds in taken.items():
            speed = round(args.images / seconds, 1)
            rows.append({'job': job, 'images': args.images, 'workers': workers, 'images_per_second': speed})
        for row in rows:
            name = f'{row["job"]}, workers: {row["workers"]}'
            print(f'{name:24}{row["images_per_second"]:8.1f} images/s')
        copying, two, one = taken.values()
        print(f'throughput of encrypting to copying, two workers  {copying / two:.2f}')
        print(f'two workers to one                                {one / two:.2f}')
        command = [sys.executable, __file__, '--million', str(root), str(root / 'encrypt-1-0')]
        mebibytes = int(subprocess.check_output(command, text=True))
        print(f'peak memory, manifest of {ROWS:,} rows       {mebibytes} MiB')
    record.write(args.json, [*rows, {'manifest_rows': ROWS, 'mebibytes': mebibytes}], machine)


if __name__ == '__main__':
    main()
