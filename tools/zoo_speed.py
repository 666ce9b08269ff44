"""Measure how many images a second the classifiers of the zoo learn from, side by side."""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo_rows import ROOT, Row

from hii_mm.errors import UsageError
from hii_mm.files import write_atomically

SPEED = 'zoo/speed.json'


def step_of(row: Row, root: Path = ROOT) -> tuple[Callable[[], Any], int]:
    """Return a function that does one training step of a row's config on a batch of noise, and the size of the batch.

    Raises:
        UsageError: not a classifier.
        HiiError: a config that cannot be read.
    """
    import torch
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import MODELS, DefaultScope
    from mmpretrain.structures import DataSample

    from hii_mm.training.config import read_config

    cfg = read_config(str(root / row.config))
    if cfg.model.type != 'ImageClassifier':
        raise UsageError(f'{row.name} is no classifier: its model is {cfg.model.type!r}')
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()), DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model).train()
        optim = build_optim_wrapper(model, cfg.optim_wrapper)
    batch, side, backbone = cfg.train_dataloader.batch_size, cfg.model.backbone.img_size, cfg.model.backbone
    images = torch.randint(0, 256, (batch, backbone.get('in_channels', 3), side, side), dtype=torch.uint8)
    samples = [DataSample().set_gt_label(number % cfg.model.head.num_classes) for number in range(batch)]
    return lambda: model.train_step(dict(inputs=images, data_samples=samples), optim), batch


def images_a_second(rows: list[Row], rounds: int, root: Path = ROOT) -> dict[str, float]:
    """Return images for each second of CPU time by the names of rows: medians of steps that alternate.

    Raises:
        UsageError: a row that is no classifier, or less than one round.
    """
    if rounds < 1:
        raise UsageError(f'--rounds must be at least 1, got {rounds}')
    steps = {row.name: step_of(row, root) for row in rows}
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for count in range(rounds + 2):  # the first two warm up
        for name, (step, _) in steps.items():
            start = time.process_time()
            step()
            if count >= 2:
                taken[name].append(time.process_time() - start)
    return {name: batch / statistics.median(taken[name]) for name, (_, batch) in steps.items()}


def write(rows: list[Row], rounds: int, machine: str, root: Path = ROOT) -> None:
    """Measure rows, print images a second and write zoo/speed.json."""
    found = images_a_second(rows, rounds, root)
    content = {
        'command': f'python tools/zoo.py speed {" ".join(found)} --rounds {rounds}',
        'date': time.strftime('%Y-%m-%d'),
        'machine': machine,
        'images_a_cpu_second': {name: round(value) for name, value in found.items()},
    }
    write_atomically(root / SPEED, (json.dumps(content, indent=1) + '\n').encode())
    base = next(iter(found.values()))
    for name, value in found.items():
        print(f'{name}: {value:.0f} images a CPU second, {value / base:.2f} x')


def read(root: Path = ROOT) -> dict[str, int]:
    """Return images for each second of CPU time by the names of rows; nothing where none were measured."""
    path = root / SPEED
    found: dict[str, int] = (
        json.loads(path.read_text(encoding='utf-8'))['images_a_cpu_second'] if path.is_file() else {}
    )
    return found
