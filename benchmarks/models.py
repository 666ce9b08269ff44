"""PEViT-small against mmpretrain's VisionTransformer of the same size: a training step, as ratios in one run.

    python benchmarks/models.py

Batch 16 of 224 x 224, float32, forward + backward + AdamW, on the device that is
there. Speed: 1.0 is the baseline's. Memory: the peak that one step adds, on a CPU
from torch's own record of allocations in a process of its own.
"""

import platform
import subprocess
import sys

import torch
from mmpretrain.models import VisionTransformer

from hii_mm.models import PEViT
from timing import medians

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


def peak(kind):
    """Bytes that a training step allocates at most, beyond what was there before."""
    step = step_of(kind)
    step()
    if DEVICE == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(profile_memory=True) as record:
        step()
    now = most = 0
    events = [event for event in record.profiler.kineto_results.events() if event.name() == '[memory]']
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def main():
    """Print the table."""
    if sys.argv[1:2] == ['--peak']:
        print(peak(sys.argv[2]))
        return
    print(f'{DEVICE}, {platform.processor() or platform.machine()}, torch {torch.__version__}, ', end='')
    print(f'{torch.get_num_threads()} threads')
    times = medians({kind: step_of(kind) for kind in KINDS}, rounds=8)
    command = [sys.executable, '-W', 'ignore', __file__, '--peak']
    peaks = {kind: int(subprocess.check_output([*command, kind], text=True).split()[-1]) for kind in KINDS}
    base = next(iter(KINDS))
    print(f'{"training step, batch 16, 224 x 224":38}{"ms":>8}{"speed":>8}{"MiB":>8}{"memory":>8}')
    for kind in KINDS:
        speed, memory = times[base] / times[kind], peaks[kind] / peaks[base]
        print(f'{kind:38}{times[kind] * 1e3:8.0f}{speed:8.3f}{peaks[kind] / 2**20:8.0f}{memory:8.3f}')


if __name__ == '__main__':
    main()
