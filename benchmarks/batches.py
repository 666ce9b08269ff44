"""Compare BatchPatchShuffle with kornia's RandomJigsaw on batches of tensors, as ratios in one run.

    python benchmarks/batches.py [--device cpu] [--json FILE]        (make bench installs kornia)

Batches of 16 float32 images of 224 x 224, patches of 16, a fresh permutation for
each image; one thread on the CPU. Medians of alternating rounds.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable

import record
import torch

from hii_mm.transforms import BatchPatchMixup, BatchPatchShuffle
from timing import medians

BATCH, SIDE, PATCH = 16, 224, 16


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--device', default='cpu', help='(%(default)s)')
    record.add_argument(parser)
    args = parser.parse_args()
    from kornia.augmentation import RandomJigsaw

    torch.set_num_threads(1)
    images = torch.rand(BATCH, 3, SIDE, SIDE, device=args.device)
    peers = {
        'copy': images.clone,
        'BatchPatchShuffle': calls(BatchPatchShuffle(PATCH).to(args.device), images),
        'BatchPatchMixup': calls(BatchPatchMixup(PATCH, 2).to(args.device), images),
        'kornia RandomJigsaw': calls(RandomJigsaw((SIDE // PATCH, SIDE // PATCH), p=1.0), images),
    }
    times = medians(peers, rounds=10)
    machine = f'{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, {args.device}'
    print(machine)
    rows = []
    for name, seconds in times.items():
        row = {'name': name, 'ms': seconds * 1e3, 'kornia / this': times['kornia RandomJigsaw'] / seconds}
        print(f'{name:24}{row["ms"]:9.2f} ms{row["kornia / this"]:9.1f} x')
        rows.append(row)
    record.write(args.json, rows, machine)


def calls(module: torch.nn.Module, images: torch.Tensor) -> Callable[[], object]:
    """Return a function that runs a module, and waits for the device."""

    def run() -> object:
        found = module(images)
        if images.is_cuda:
            torch.cuda.synchronize()
        return found

    return run


if __name__ == '__main__':
    main()
