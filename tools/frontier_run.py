"""Train the recognisers of the frontier: one json for each setting and seed."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from frontier_held import HoldImages
from frontier_options import cut
from frontier_settings import CONFIGS, OWN, SETTINGS
from frontier_show import interval
from mmengine.hooks import Hook

from hii_mm.attacks.report.about import processor
from hii_mm.files import write_atomically
from hii_mm.training.checkpoints import steps_as_config
from hii_mm.training.config import run_config

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

SIZE = (128, 128)  # of the images of FashionScene


class Curve(Hook):
    """Keep the accuracy after each epoch and the CPU time so far in WORK_DIR/curve.json, over interruptions."""

    def before_run(self, runner: Runner) -> None:
        """Read what an interrupted run left."""
        self.path = Path(runner.work_dir) / 'curve.json'
        self.points: list[dict[str, float]] = json.loads(self.path.read_text()) if self.path.is_file() else []

    def before_train(self, runner: Runner) -> None:
        """Forget epochs that run again."""
        self.points = [point for point in self.points if point['epoch'] <= runner.epoch]
        self.before = self.points[-1]['cpu_seconds'] if self.points else 0.0
        self.start = time.process_time()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a point: percent of the validation images, and seconds of CPU with loading and validation."""
        seconds = self.before + time.process_time() - self.start
        top1 = (metrics or {})['accuracy/top1']
        self.points.append(dict(epoch=runner.epoch, accuracy=round(top1, 3), cpu_seconds=round(seconds, 1)))
        write_atomically(self.path, json.dumps(self.points).encode())
        print(
            f'frontier: {Path(runner.work_dir).name}, epoch {runner.epoch}: {top1:.2f} %, {seconds:.0f} s', flush=True
        )


def run_all(args: argparse.Namespace) -> None:
    """Train each setting with each seed, unless its json is there.

    Runs of other epochs or on copies have a folder of their own.
    """
    kind = kind_of(args)
    folder = args.out / kind
    folder.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        for name in args.settings:
            path = folder / f'{name}-seed{seed}.json'
            if path.is_file():
                print(f'frontier: {path} is there already')
                continue
            record = train(name, seed, args.work_dir / kind, args)
            write_atomically(path, (json.dumps(record, indent=1) + '\n').encode())
            print(f'frontier: {path}: {record["accuracy"]:.2f} %', flush=True)


def kind_of(args: argparse.Namespace) -> str:
    """Return the name of the folder for runs that differ from the config's, such as 'epochs-18'; else ''."""
    words = [f'epochs-{args.epochs}'] if args.epochs else []
    return '-'.join([*words, *(['copies'] if args.copies else [])])


def train(name: str, seed: int, work_dir: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train one model, from its last whole epoch if there is one, and return its record."""
    data = args.copies / name if args.copies else args.data
    cfg = config(name, work_dir / f'{name}-seed{seed}', data, args.epochs, encrypted=bool(args.copies))
    cfg.randomness = dict(seed=seed)
    return {**record(name, seed, *trained(cfg), args.machine), 'copies': bool(args.copies)}


def trained(cfg: Config, *hooks: Hook) -> tuple[Runner, list[dict[str, float]]]:
    """Run a config, from its last whole epoch if there is one; return the runner and the accuracy after each epoch.

    Images are held in memory. That and further hooks leave no trace in the config that the run keeps.
    """
    from mmengine.runner import Runner

    cfg.resume = True
    runner = Runner.from_cfg(cfg)
    for hook in (HoldImages(), Curve(), *hooks):
        runner.register_hook(hook)
    runner.train()
    return runner, json.loads((Path(cfg.work_dir) / 'curve.json').read_text())


def config(name: str, work_dir: Path, data: Path, epochs: int | None = None, encrypted: bool = False) -> Config:
    """Return the config of a run: the setting's own, or that of its model with the scheme last in the pipelines.

    Args:
        name: of the setting.
        work_dir: for logs and checkpoints.
        data: folder with train/ and val/.
        epochs: None is the config's.
        encrypted: whether the data are copies already, which are mirrored whole and not shifted.
    """
    setting = SETTINGS[name]
    scheme = setting.built
    cfg = run_config(config_file(name), loaders=['train', 'val'], work_dir=str(work_dir))
    if epochs is not None:
        cfg.train_cfg.max_epochs = cfg.param_scheduler[1].T_max = cfg.param_scheduler[1].end = epochs
    for part, loader in (('train', cfg.train_dataloader), ('val', cfg.val_dataloader)):
        loader.dataset.data_root = str(data / part)
        if encrypted:
            flip = cfg.augment[:1] if part == 'train' else []
            loader.dataset.pipeline = [cfg.load, *flip, cfg.pack]
        elif name not in OWN:
            augment = cfg.augment if part == 'train' else []
            pieces = [dict(type='CutPieces', option=setting.option)] if setting.option else []
            loader.dataset.pipeline = [cfg.load, *augment, *pieces, *steps_as_config(scheme), cfg.pack]
    if name not in OWN and scheme is not None:
        shown = np.zeros((*SIZE, 3), np.uint8)
        shape = (cut(shown, setting.option, np.random.default_rng(0)) if setting.option else shown).shape[:2]
        h, w = scheme.core_size
        cfg.model.backbone.patch_size = h if h == w else (h, w)
        cfg.model.backbone.img_size = scheme.plan(shape, np.random.default_rng(0)).encrypted_shape
    cfg.test_dataloader = cfg.val_dataloader
    return cfg


def config_file(name: str) -> str:
    """Return the path of a setting's config, or of that which its run begins from."""
    return OWN.get(name, CONFIGS[SETTINGS[name].model])


def record(name: str, seed: int, runner: Runner, points: list[dict[str, float]], machine: str | None) -> dict[str, Any]:
    """Return what is kept of a run."""
    setting, images = SETTINGS[name], len(runner.val_dataloader.dataset)
    trained = len(runner.train_dataloader) * runner.train_dataloader.batch_size * runner.max_epochs
    accuracy, seconds = points[-1]['accuracy'], points[-1]['cpu_seconds']
    chip = torch.cuda.get_device_name() if torch.cuda.is_available() else f'{processor()}, no GPU'
    return {
        'setting': name,
        'scheme': setting.label,
        'scheme_arguments': setting.scheme,
        'model': setting.model,
        'config': config_file(name),
        'parameters': sum(value.numel() for value in runner.model.parameters()),
        'seed': seed,
        'epochs': runner.max_epochs,
        'accuracy': accuracy,
        'interval': [round(100 * end, 2) for end in interval(accuracy / 100, images)],
        'validation_images': images,
        'curve': points,
        'cpu_seconds': seconds,
        'images_per_cpu_second': round(trained / seconds, 1),
        'machine': machine or chip,
        'date': time.strftime('%Y-%m-%d'),
        'command': shlex.join(['python', *sys.argv]),
    }
