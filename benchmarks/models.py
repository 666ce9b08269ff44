"""PEViT-small against mmpretrain's VisionTransformer of the same size: a training step, as ratios in one run.

    python benchmarks/models.py

Batch 16 of 224 x 224, float32, forward + backward + AdamW, on the device that is
there. Speed: 1.0 is the baseline's. Memory: the peak that one step adds, on a CPU
from torch's own record of allocations in a process of its own.
"""

import platform
import sys

import torch
from mmpretrain.models import VisionTransformer

from hii_mm.models import PEViT
from timing import compare, peak

KINDS = {
    'VisionTransformer (mmpretrain)': lambda: VisionTransformer(arch='deit-small'),
    'PEViT': lambda: PEViT(arch='deit-small'),
    'PEViT with reference encoding': lambda: PEViT(arch='deit-small', reference_encoding=True),
}
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def step_of(kind):
    """A callable that does one training step."""
    torch.manual_seed(0)
    model = KINDS[kind]().to(DEVICE)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    images = torch.randn(16, 3, 224, 224, device=DEVICE)

    def step():
        optimiser.zero_grad()
        model(images)[0].square().mean().backward()
        optimiser.step()
        if DEVICE == 'cuda':
            torch.cuda.synchronize()

    return step


def main():
    """Print the table."""
    if sys.argv[1:2] == ['--peak']:
        print(peak(step_of(sys.argv[2]), DEVICE))
        return
    print(f'{DEVICE}, {platform.processor() or platform.machine()}, torch {torch.__version__}, ', end='')
    print(f'{torch.get_num_threads()} threads')
    compare('training step, batch 16, 224 x 224', KINDS, step_of, __file__)


if __name__ == '__main__':
    main()
