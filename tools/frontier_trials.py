"""Trials of the recipe of the frontier: what was tried on the model's side, one json for each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from frontier_held import LoadHeldImage
from frontier_pretraining import HideHalves
from frontier_run import config, record, trained
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model.weight_init import trunc_normal_
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

from hii_mm.files import write_atomically
from hii_mm.training.checkpoints import read_checkpoint

BASE = {'plain': 'vit-plain', 'gap': 'rs-gap-2', 'mixed': 'rs-on-mi-gap-1'}
TEACHER = 'vit-plain-seed0/epoch_6.pth'  # in the folder of the runs


class Distil(Hook):
    """Mix the labels of training images with what a teacher says of the plain image, as the owner could hand over.

    Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv 1503.02531, without temperature.

    Args:
        teacher: checkpoint of a classifier of plain images.
        weight: of the teacher in [0, 1].
    """

    def __init__(self, teacher: str, weight: float = 0.5) -> None:
        self.teacher, self.weight = teacher, weight

    def before_train(self, runner: Runner) -> None:
        """Ask the teacher about every training image, once, and add its answers behind the first step."""
        dataset = runner.train_loop.dataloader.dataset
        load = LoadHeldImage(dataset.data_root)
        scores = answers(self.teacher, load.images)
        transforms = dataset.pipeline.transforms
        transforms[0] = lambda results: self._scored(load.transform(results), scores[load.row(results)])

    def _scored(self, results: dict[str, Any], score: np.ndarray) -> dict[str, Any]:
        own = np.eye(len(score), dtype=np.float32)[results['gt_label']]
        return {**results, 'gt_score': (1 - self.weight) * own + self.weight * score}


def answers(checkpoint: str, images: np.ndarray) -> np.ndarray:
    """Return the probabilities, float32 (N, classes), that a classifier gives images, uint8 (N, H, W, 3) BGR."""
    found = read_checkpoint(checkpoint)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(Config.fromstring(found['meta']['cfg'], '.py').model)
    model.load_state_dict(found['state_dict'])
    model.eval()
    said = []
    with torch.no_grad():
        for start in range(0, len(images), 250):
            batch = torch.from_numpy(np.array(images[start : start + 250])).permute(0, 3, 1, 2)
            said.append(model(model.data_preprocessor({'inputs': batch})['inputs'], mode='tensor').softmax(1))
    return torch.cat(said).numpy()


class BeginOtherwise(Hook):
    """Undo a part of the initialisation: 'positions' from a normal of .02, or 'keys' that differ from queries."""

    def __init__(self, part: str) -> None:
        self.part = part

    def before_train(self, runner: Runner) -> None:
        """Draw the weights anew."""
        backbone = runner.model.backbone
        if self.part == 'positions':
            trunc_normal_(backbone.pos_embed, std=0.02)
            return
        for layer in backbone.layers:
            key = layer.attn.qkv.weight.chunk(3)[1]
            with torch.no_grad():
                torch.nn.init.kaiming_uniform_(key, a=5**0.5)  # as PyTorch begins linear layers


class Trial(NamedTuple):
    """A change to the runs of some settings (keys of :data:`BASE`): of the config, or by a hook.

    ``hook`` is made from the folder of the runs.
    """

    words: str
    settings: str
    change: Callable[[Config], None] | None = None
    hook: Callable[[Path], Hook] | None = None


def _all_patches(cfg: Config) -> None:
    cfg.model.backbone.patch_dropout = 0.0


def _layers(cfg: Config) -> None:
    cfg.model.backbone.arch.num_layers = 3


def _one_filter(cfg: Config) -> None:
    cfg.model.backbone.type = 'PEViT'
    cfg.model.backbone.pop('positions')


def _two_layers(cfg: Config) -> None:
    backbone = cfg.model.backbone
    backbone.update(type='StemPEViT', stem_stride=backbone.patch_size, stem_dims=192)  # the whole patch, then 1 x 1
    backbone.pop('positions')


def _batches(cfg: Config) -> None:
    cfg.train_dataloader.batch_size = 32


def _adamw(cfg: Config) -> None:
    cfg.optim_wrapper.optimizer = dict(type='AdamW', lr=2e-3, weight_decay=0.05)


def _rate(value: float) -> Callable[[Config], None]:
    return lambda cfg: cfg.optim_wrapper.optimizer.update(lr=value)


def _longer(cfg: Config) -> None:
    cosine = cfg.param_scheduler[1]
    cfg.train_cfg.max_epochs = cosine.T_max = cosine.end = 2 * cfg.train_cfg.max_epochs


TRIALS = {
    'base': Trial('as it is', 'plain gap mixed'),
    'positions': Trial('positions begin as random numbers', 'plain', hook=lambda runs: BeginOtherwise('positions')),
    'keys': Trial('keys begin apart from queries', 'plain gap', hook=lambda runs: BeginOtherwise('keys')),
    'all-patches': Trial('no patch is left out in training', 'plain gap', _all_patches),
    'layers': Trial('three layers, not two', 'plain gap', _layers),
    'filters': Trial('one linear filter for a whole patch', 'gap', _one_filter),
    'mlp': Trial('a stem of two linear layers for a whole patch', 'gap', _two_layers),
    'batches': Trial('batches of 32, not 64', 'plain', _batches),
    'slower': Trial('half the learning rate', 'plain', _rate(5e-3)),
    'faster': Trial('twice the learning rate', 'plain', _rate(2e-2)),
    'adamw': Trial('AdamW for all weights, with a rate of .002', 'plain', _adamw),
    'longer': Trial('twice as many epochs', 'plain gap', _longer),
    'hidden': Trial(
        'two more epochs before, in which it guesses hidden halves of patches',
        'plain gap',
        hook=lambda runs: HideHalves(),
    ),
    'teacher': Trial(
        'a teacher of plain images answers, too', 'gap mixed', hook=lambda runs: Distil(str(runs / TEACHER))
    ),
}


def try_all(args: argparse.Namespace) -> None:
    """Run each trial on each of its settings, unless its json is there."""
    folder = args.out / 'trials'
    folder.mkdir(parents=True, exist_ok=True)
    for name in args.trials:
        for kind in TRIALS[name].settings.split():
            path = folder / f'{name}-{kind}.json'
            if path.is_file():
                print(f'frontier: {path} is there already')
                continue
            write_atomically(path, (json.dumps(tried(name, kind, args), indent=1) + '\n').encode())
            print(f'frontier: {path}', flush=True)


def tried(name: str, kind: str, args: argparse.Namespace) -> dict[str, Any]:
    """Train with a trial's change and return its record."""
    trial = TRIALS[name]
    cfg = config(BASE[kind], args.work_dir / f'trial-{name}-{kind}-epochs-{args.epochs}', args.data, args.epochs)
    cfg.randomness = dict(seed=0)
    if trial.change:
        trial.change(cfg)
    hooks = [trial.hook(args.work_dir)] if trial.hook else []
    found = record(BASE[kind], 0, *trained(cfg, *hooks), args.machine)
    return {'trial': name, 'change': trial.words, **found}
