"""Compare PatchShuffle and PatchMixup with a plain copy, albumentations and kornia.

    python benchmarks/transforms.py [--json FILE]        (make bench installs the peers)

Images come 'from memory', as a loader reads a data set (64 images in turn, more
than the caches hold), or 'from cache' (the same image each time, the best case
of a copy). Each job alternates with a plain copy, and its ratio is to those
copies. One thread.
"""

from __future__ import annotations

import argparse
import itertools
import platform
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import numpy as np
import record
import torch

from hii_mm.encryption import Scheme
from hii_mm.transforms import PatchMixup, PatchShuffle
from timing import medians

Job = Callable[[np.ndarray], Any]
ROUNDS = {(800, 1344): 60, (224, 224): 300}
SETTINGS = {'': {}, 'gap 2, drop 25 %': dict(gap=2, drop_ratio=0.25), 'gap 1': dict(gap=1)}


def reference(image: np.ndarray, permutation: np.ndarray, side: int = 16) -> np.ndarray:
    """Shuffle in the usual way: reshape, transpose, index, transpose, reshape."""
    rows, cols = image.shape[0] // side, image.shape[1] // side
    patches = image.reshape(rows, side, cols, side, 3).transpose(0, 2, 1, 3, 4).reshape(-1, side, side, 3)
    moved = patches[permutation].reshape(rows, cols, side, side, 3)
    return moved.transpose(0, 2, 1, 3, 4).reshape(image.shape)


def mean_of_parts(image: np.ndarray, side: int = 16, grid: int = 2) -> np.ndarray:
    """Mix in the usual way: the mean over axes of a reshape."""
    rows, cols, part = image.shape[0] // side, image.shape[1] // side, side // grid
    mixed = image.reshape(rows, grid, part, cols, grid, part, 3).mean((1, 4))
    return np.rint(mixed).astype(np.uint8).reshape(image.shape[0] // grid, image.shape[1] // grid, 3)


def peers(shape: tuple[int, int]) -> dict[str, Job]:
    """Return the jobs of the other packages that are installed."""
    rows, cols = shape[0] // 16, shape[1] // 16
    found = {}
    try:
        import albumentations

        shuffle = albumentations.RandomGridShuffle(grid=(rows, cols), p=1.0)
        found['albumentations RandomGridShuffle'] = lambda image: shuffle(image=image)['image']
    except ImportError:
        print('albumentations is not installed: make bench')
    try:
        from kornia.augmentation import RandomJigsaw

        jigsaw = RandomJigsaw(grid=(rows, cols), p=1.0, ensure_perm=False)
        found['kornia RandomJigsaw'] = lambda image: jigsaw(torch.from_numpy(image).permute(2, 0, 1)[None].float())
    except ImportError:
        print('kornia is not installed: make bench')
    return found


def jobs_for(shape: tuple[int, int]) -> dict[str, Job]:
    """Return everything that is compared, by name."""
    jobs = {}
    for name, given in SETTINGS.items():
        plan = Scheme(16, **given).plan(shape, np.random.default_rng(0))
        transform = PatchShuffle(16, **given)
        jobs[f'PatchShuffle {name}'.strip()] = lambda image, transform=transform: transform({'img': image})
        jobs[f'  moving alone {name}'.rstrip()] = plan.apply
    plan, mixup = Scheme(16, strategy='mixup').plan(shape), PatchMixup(16, 2)
    jobs['PatchMixup'] = lambda image: mixup({'img': image})
    jobs['  mixing alone'] = plan.apply
    jobs['reshape, mean'] = mean_of_parts
    order = np.random.default_rng(0).permutation(shape[0] // 16 * (shape[1] // 16))
    jobs['reshape, transpose, index'] = lambda image: reference(image, order)
    return {**jobs, **peers(shape)}


def beside_a_copy(job: Job, source: Iterator[np.ndarray], rounds: int) -> dict[str, float]:
    """Return the median seconds of a job on images of ``source``, and of plain copies in between."""
    return medians({'copy': lambda: next(source).copy(), 'job': lambda: job(next(source))}, rounds)


def measure(shape: tuple[int, int], rounds: int) -> list[dict[str, Any]]:
    """Print the table of an image size; return its rows."""
    rng, ours, rows = np.random.default_rng(0), {}, []
    images = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(64 if shape[0] > 500 else 1024)]
    print(f'\n{shape[0]} x {shape[1]} x 3 uint8, patches of 16      from memory               from cache')
    print(f'{"":36}{"us":>9}{"x copy":>8}{"x ours":>8}   {"us":>9}{"x copy":>8}{"x ours":>8}')
    for name, job in jobs_for(shape).items():
        cells, row = '', {'shape': f'{shape[0]} x {shape[1]}', 'job': name.strip()}
        for state in ('memory', 'cache'):
            source = itertools.cycle(images) if state == 'memory' else itertools.repeat(images[0])
            times = beside_a_copy(job, source, rounds)
            ours.setdefault(state, times['job'])  # the first job is PatchShuffle
            micros, copies, share = times['job'] * 1e6, times['job'] / times['copy'], times['job'] / ours[state]
            cells += f'{micros:9.0f}{copies:8.2f}{share:8.2f}   '
            row[state] = {'us': round(micros, 1), 'x_copy': round(copies, 4), 'x_ours': round(share, 4)}
        print(f'{name:36}{cells}', flush=True)
        rows.append(row)
    return rows


def main() -> None:
    """Print one table for each image size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    record.add_argument(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    machine = f'{platform.processor() or platform.machine()}, Python {platform.python_version()}, '
    machine += ', '.join(f'{name} {metadata.version(name)}' for name in ('numpy', 'torch'))
    print(machine)
    rows = [row for shape, rounds in ROUNDS.items() for row in measure(shape, rounds)]
    record.write(args.json, rows, machine)


if __name__ == '__main__':
    main()
