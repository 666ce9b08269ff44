"""Compare training of a mini model on idle and on busy cores, with one thread, as its config sets, and with one a core.

    python benchmarks/busy.py [--rounds 10] [--json FILE]

Steps of configs/pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py (that of make demo) on random
images. "Busy" is one other process on each core that computes all the time.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import record
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

import hii_mm.register  # noqa: F401
from timing import medians

CONFIG = Path(__file__).parent.parent / 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_fashion-mnist.py'
STEPS = 20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=10, help='measured runs of each, of 20 steps (%(default)s)')
    record.add_argument(parser)
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    others = [multiprocessing.Process(target=compute, daemon=True) for _ in range(cores)]
    for other in others:
        other.start()
    step = training_step()
    jobs = {
        (threads, load): job(step, threads, others if load == 'busy' else [])
        for threads in (1, cores)
        for load in ('idle', 'busy')
    }
    pause(others)
    try:
        times = medians(jobs, args.rounds)
    finally:
        for other in others:
            other.kill()
    rows = []
    for (threads, load), seconds in times.items():
        rate, slower = STEPS * 128 / seconds, seconds / times[threads, 'idle']
        print(f'{threads} threads, {load}: {rate:7.0f} images/s, {slower:.2f} x the time on idle cores')
        rows.append(dict(threads=threads, cores=load, images_per_s=round(rate), slower=round(slower, 3)))
    record.write(args.json, rows, f'{platform.machine()}, {cores} cores, torch {torch.__version__}')


def compute() -> None:
    """Keep a core busy."""
    value = 1
    while True:
        value = value * 3 % 1000003


def pause(others: list[Any]) -> None:
    """Stop the other processes until they are told to go on."""
    for other in others:
        os.kill(other.pid, signal.SIGSTOP)


def job(step: Callable[[], None], threads: int, others: list[Any]) -> Callable[[], None]:
    """Return a function that trains for 20 steps while ``others`` run."""

    def run() -> None:
        torch.set_num_threads(threads)
        for other in others:
            os.kill(other.pid, signal.SIGCONT)
        for _ in range(STEPS):
            step()
        pause(others)

    return run


def training_step() -> Callable[[], None]:
    """Return a function that trains the model on one batch."""
    cfg = Config.fromfile(CONFIG)
    init_default_scope('mmpretrain')
    model = MODELS.build(cfg.model).train()
    optimizer = torch.optim.AdamW(model.parameters())
    images = torch.randn(128, cfg.model.backbone.in_channels, 28, 28)
    labels = torch.randint(10, (128,))

    def step() -> None:
        optimizer.zero_grad()
        model.head.loss(model.extract_feat(images), samples(labels))['loss'].backward()
        optimizer.step()

    return step


def samples(labels: torch.Tensor) -> list[Any]:
    """Return labels as mmpretrain's heads take them."""
    from mmpretrain.structures import DataSample

    return [DataSample().set_gt_label(label) for label in labels]


if __name__ == '__main__':
    main()
