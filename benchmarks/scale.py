"""Many small pictures, and one large one.

``--images N`` makes a source of N pictures of 32 x 32 (hard links to 1,000
different ones, in class folders of 1,000) and encrypts it to tar files, stopped
after nine tenths and continued, which also reads the tar files of the first
run again. Each run is a process of its own that reports its seconds and its
peak memory. ``--large`` encrypts one picture of 12000 x 7000, as JPEG and as
PNG with each fit, in a process of its own each time.
"""

import argparse
import contextlib
import json
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

from hii_mm import Scheme, encrypt, verify, write_new_key

DIFFERENT, FOLDER = 1000, 1000
LARGE = 7000, 12000  # h, w
CASES = [('jpg', 'crop'), ('jpg', 'resize'), ('jpg', 'pad'), ('png', 'crop'), ('png', 'resize'), ('png', 'pad')]


class Stop(Exception):
    """Raised by the progress callback."""


def source(root, images):
    """Make the source folder."""
    rng = np.random.default_rng(0)
    (root / 'different').mkdir(parents=True)
    for i in range(min(images, DIFFERENT)):
        pixels = np.repeat(np.repeat(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), 4, 0), 4, 1)
        Image.fromarray(pixels).save(root / 'different' / f'{i}.png')
    for i in range(images):
        folder = root / 'src' / f'{i // FOLDER:04}'
        if i % FOLDER == 0:
            folder.mkdir(parents=True)
        os.link(root / 'different' / f'{i % DIFFERENT}.png', folder / f'{i:07}.png')


def photo(path):
    """Write a large picture with the statistics of a photograph: smooth, with noise."""
    rng, (h, w) = np.random.default_rng(0), LARGE
    small = Image.fromarray(rng.integers(0, 256, (70, 120, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((w, h), Image.Resampling.BICUBIC))
    noisy = pixels[:, :, :] // 8 * 8 + rng.integers(0, 8, (h, w, 1), dtype=np.uint8)
    Image.fromarray(noisy).save(path, quality=92)


def child(job, root, **options):
    """Run one job in this process and print its figures."""
    seen, begun = [], (time.perf_counter(), time.process_time())

    def progress(done, total, note=''):
        if not seen:
            seen.extend((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        if options.get('stop') and done >= options['stop']:
            raise Stop

    if job == 'photo':
        photo(root / 'src' / f'large.{options["extension"]}')
    elif job == 'verify':
        assert verify(root / 'dst', key=root / 'key').ok
    else:
        more = {'format': 'shards'} if job == 'shards' else {'fit': options['fit']}
        more |= {'key': root / 'key', 'scheme': Scheme(16), 'resume': bool(options.get('resume')), 'progress': progress}
        with contextlib.suppress(Stop):
            assert not encrypt(root / 'src', root / 'dst', **more).rejects
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {'seconds': time.perf_counter() - begun[0], 'cpu': used.ru_utime + used.ru_stime}
    print(json.dumps(figures | {'start': seen or [0, 0], 'mebibytes': used.ru_maxrss / 1024}))


def measured(job, root, **options):
    """Run one job in a process of its own; returns its figures."""
    command = [sys.executable, __file__, '--child', job, str(root), json.dumps(options)]
    return json.loads(subprocess.check_output(command, text=True))


def many(scratch, images):
    """Return the row of a number of pictures."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        root = Path(folder)
        source(root, images)
        write_new_key(root / 'key')
        first = measured('shards', root, stop=images * 9 // 10)
        rest = measured('shards', root, resume=True)
        checked = measured('verify', root)
    return {
        'images': images,
        'seconds': round(first['seconds'] + rest['seconds'], 1),
        'cpu_seconds': round(first['cpu'] + rest['cpu'], 1),
        'mebibytes': round(max(first['mebibytes'], rest['mebibytes'])),
        'resume_start_seconds': round(rest['start'][0], 1),
        'resume_start_cpu_seconds': round(rest['start'][1], 1),
        'verify_seconds': round(checked['seconds'], 1),
    }


def large(scratch, extension, fit):
    """Return the row of a large picture: peak memory over what the imports need, in decoded pictures."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        root = Path(folder)
        (root / 'src').mkdir()
        write_new_key(root / 'key')
        Image.new('RGB', (32, 32)).save(root / 'src' / 'small.png')
        base = measured('folder', root, fit=fit)['mebibytes']
        subprocess.check_call(['rm', '-rf', str(root / 'dst'), str(root / 'src' / 'small.png')])
        measured('photo', root, extension=extension)
        peak = measured('folder', root, fit=fit)['mebibytes']
    h, w = LARGE
    decoded = (peak - base) / (3 * h * w / 2**20)
    return {
        'pixels': f'{w} x {h}', 'file': extension, 'fit': fit,
        'mebibytes': round(peak - base), 'decoded': round(decoded, 2),
    }  # fmt: skip


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, nargs='*', default=[10_000, 100_000], metavar='N')
    parser.add_argument('--large', action='store_true', help='also pictures of 12000 x 7000')
    parser.add_argument('--scratch', metavar='DIR', help='folder for pictures and copies')
    parser.add_argument('--child', nargs=3, help=argparse.SUPPRESS)
    record.add_argument(parser)
    args = parser.parse_args()
    if args.child:
        job, root, options = args.child
        child(job, Path(root), **json.loads(options))
        return
    rows = []
    for images in args.images:
        rows.append(many(args.scratch, images))
        rows[-1] |= {f'{name}_ratio': round(rows[-1][name] / rows[0][name], 1) for name in ('cpu_seconds', 'mebibytes')}
        print(rows[-1], flush=True)
    for extension, fit in CASES if args.large else ():
        rows.append(large(args.scratch, extension, fit))
        print(rows[-1], flush=True)
    record.write(args.json, rows, f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}')


if __name__ == '__main__':
    main()
