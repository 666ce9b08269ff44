"""Real loaders and models for the hook that checks a run."""

import copy
import functools

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import BaseLoop, Runner

from hii_mm.transforms import PatchShuffle

from . import ROOT

CONFIG = 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_digits.py'
SHUFFLE, PACK = dict(type='PatchShuffle', patch_size=4), dict(type='PackInputs')
PLAIN = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]


class Loop(BaseLoop):
    """A loop that is built and never runs."""

    run = None


@functools.cache
def _read(path):
    return Config.fromfile(ROOT / path)


def read(path):
    """Return a config, which may be changed."""
    return copy.deepcopy(_read(path))


@functools.cache
def built_model(path, options):
    cfg = read(path)
    cfg.merge_from_dict(dict(options))
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model)


def loop(cfg):
    """A loop with a real loader."""
    return Loop(None, Runner.build_dataloader(cfg, seed=0))


def encrypts(step):
    return isinstance(step, PatchShuffle) or isinstance(step, dict) and 'PatchShuffle' in step['type']


def problems_of(error):
    return str(error.value).splitlines()[1:]
