"""Compare a training step of PEViT-small with mmpretrain's VisionTransformer of the same size.

    python benchmarks/models.py [--json FILE]

Batch 16 of 224 x 224, float32, forward, backward and AdamW, on a GPU if there is
one. Speed: 1.0 is the baseline's. Memory: the peak that one step adds; on a CPU it
comes from torch's record of allocations, in a process of its own.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable

import record
import torch
from mmpretrain.models import VisionTransformer

from hii_mm.models import PEViT
from timing import compare, peak

KINDS = {
    'VisionTransformer (mmpretrain)': lambda: VisionTransformer(arch='deit-small'),
    'PEViT': lambda: PEViT(arch='deit-small'),
    'PEViT with reference encoding': lambda: PEViT(arch='deit-small', reference_encoding=True),
    'PEViT with patch_dropout 0.5': lambda: PEViT(arch='deit-small', patch_dropout=0.5),
}
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def step_of(kind: str) -> Callable[[], None]:
    """Return a function that does one training step."""
    torch.manual_seed(0)
    model = KINDS[kind]().to(DEVICE)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    images = torch.randn(16, 3, 224, 224, device=DEVICE)

    def step() -> None:
        optimiser.zero_grad()
        model(images)[0].square().mean().backward()
        optimiser.step()
        if DEVICE == 'cuda':
            torch.cuda.synchronize()

    return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--peak', help=argparse.SUPPRESS)
    record.add_argument(parser)
    args = parser.parse_args()
    if args.peak:
        print(peak(step_of(args.peak), DEVICE))
        return
    machine = f'{DEVICE}, {platform.processor() or platform.machine()}, torch {torch.__version__}, '
    machine += f'{torch.get_num_threads()} threads'
    print(machine)
    record.write(args.json, compare('training step, batch 16, 224 x 224', KINDS, step_of, __file__), machine)


if __name__ == '__main__':
    main()
