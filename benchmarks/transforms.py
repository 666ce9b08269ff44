"""PatchShuffle and PatchMixup against a plain copy, albumentations and kornia, as ratios in one run.

    python benchmarks/transforms.py        (make bench installs the peers)

Two states of the images: 'from memory', as a loader goes through a data set
(64 images in turn, more than the caches hold), and 'from cache' (one image
over and over, which a copy likes best). Each job runs in turn with a plain
copy; its ratio is to the copies of its own turns. One thread.
"""

import itertools
import platform
from importlib import metadata

import numpy as np
import torch

from hii_mm.encryption import MixupParams, ShuffleParams
from hii_mm.transforms import PatchMixup, PatchShuffle
from timing import medians

ROUNDS = {(800, 1344): 60, (224, 224): 300}
SETTINGS = {'': {}, 'gap 2, drop 25 %': dict(gap=2, drop_ratio=0.25), 'gap 1': dict(gap=1)}


def reference(image, permutation, side=16):
    """The usual way: reshape, transpose, index, transpose, reshape."""
    rows, cols = image.shape[0] // side, image.shape[1] // side
    patches = image.reshape(rows, side, cols, side, 3).transpose(0, 2, 1, 3, 4).reshape(-1, side, side, 3)
    moved = patches[permutation].reshape(rows, cols, side, side, 3)
    return moved.transpose(0, 2, 1, 3, 4).reshape(image.shape)


def mean_of_parts(image, side=16, grid=2):
    """The usual way to mix: the mean over the axes of a reshape."""
    rows, cols, part = image.shape[0] // side, image.shape[1] // side, side // grid
    mixed = image.reshape(rows, grid, part, cols, grid, part, 3).mean((1, 4))
    return np.rint(mixed).astype(np.uint8).reshape(image.shape[0] // grid, image.shape[1] // grid, 3)


def peers(shape):
    """``{name: callable on an image}`` of the other packages that are installed."""
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


def jobs_for(shape):
    """``{name: callable on an image}`` of everything that is compared."""
    jobs = {}
    for name, given in SETTINGS.items():
        plan = ShuffleParams(16, **given).plan(shape, np.random.default_rng(0))
        transform = PatchShuffle(16, **given)
        jobs[f'PatchShuffle {name}'.strip()] = lambda image, transform=transform: transform({'img': image})
        jobs[f'  moving alone {name}'.rstrip()] = plan.apply
    plan, mixup = MixupParams(16, 2).plan(shape), PatchMixup(16, 2)
    jobs['PatchMixup'] = lambda image: mixup({'img': image})
    jobs['  mixing alone'] = plan.apply
    jobs['reshape, mean'] = mean_of_parts
    order = np.random.default_rng(0).permutation(shape[0] // 16 * (shape[1] // 16))
    jobs['reshape, transpose, index'] = lambda image: reference(image, order)
    return {**jobs, **peers(shape)}


def beside_a_copy(job, source, rounds):
    """Median seconds of a job on images of ``source`` and of plain copies in between."""
    return medians({'copy': lambda: next(source).copy(), 'job': lambda: job(next(source))}, rounds)


def main():
    """Print one table an image size."""
    torch.set_num_threads(1)
    print(f'{platform.processor() or platform.machine()}, Python {platform.python_version()}, ', end='')
    print(', '.join(f'{name} {metadata.version(name)}' for name in ('numpy', 'torch')))
    rng = np.random.default_rng(0)
    for shape, rounds in ROUNDS.items():
        images = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(64 if shape[0] > 500 else 1024)]
        print(f'\n{shape[0]} x {shape[1]} x 3 uint8, patches of 16      from memory               from cache')
        print(f'{"":36}{"us":>9}{"x copy":>8}{"x ours":>8}   {"us":>9}{"x copy":>8}{"x ours":>8}')
        ours = {}
        for name, job in jobs_for(shape).items():
            cells = ''
            for state in ('from memory', 'from cache'):
                source = itertools.cycle(images) if state == 'from memory' else itertools.repeat(images[0])
                times = beside_a_copy(job, source, rounds)
                ours.setdefault(state, times['job'])  # the first job is PatchShuffle
                cells += f'{times["job"] * 1e6:9.0f}{times["job"] / times["copy"]:8.2f}'
                cells += f'{times["job"] / ours[state]:8.2f}   '
            print(f'{name:36}{cells}', flush=True)


if __name__ == '__main__':
    main()
