"""Registries of our classes.

mmdet and mmpretrain look up bare names (``type='PatchShuffle'``) in their own
registries first and in mmengine's root registries after them, so each class is
registered in the root. For ``type='hii_mm.PatchShuffle'`` mmengine imports this
module by itself and asks the child registries below. mmpretrain's
``BATCH_AUGMENTS`` has no root parent, so batch augments are registered in it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from . import compat

compat.prepare()

from mmengine.registry import HOOKS as ROOT_HOOKS  # noqa: E402
from mmengine.registry import METRICS as ROOT_METRICS  # noqa: E402
from mmengine.registry import MODELS as ROOT_MODELS  # noqa: E402
from mmengine.registry import OPTIMIZERS as ROOT_OPTIMIZERS  # noqa: E402
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS  # noqa: E402
from mmengine.registry import Registry  # noqa: E402

HOOKS = Registry(
    'hook', parent=ROOT_HOOKS, scope='hii_mm', locations=['hii_mm.training.hooks', 'hii_mm.training.threads']
)
METRICS = Registry(
    'metric',
    parent=ROOT_METRICS,
    scope='hii_mm',
    locations=['hii_mm.attacks.mm_metrics'] + ['hii_mm.inference.shuffled_coco'] * bool(find_spec('mmdet')),
)
MODELS = Registry('model', parent=ROOT_MODELS, scope='hii_mm', locations=['hii_mm.models'])
OPTIMIZERS = Registry('optimizer', parent=ROOT_OPTIMIZERS, scope='hii_mm', locations=['hii_mm.training.muon'])
TRANSFORMS = Registry('transform', parent=ROOT_TRANSFORMS, scope='hii_mm', locations=['hii_mm.transforms'])
BATCH_AUGMENTS: Registry | None = None
if find_spec('mmpretrain'):
    from mmpretrain.registry import BATCH_AUGMENTS as HOST_BATCH_AUGMENTS

    BATCH_AUGMENTS = Registry('batch augment', parent=HOST_BATCH_AUGMENTS, scope='hii_mm', locations=['hii_mm.models'])


def register(registry: Registry) -> Callable[[type], type]:
    """Return a class decorator that registers in ``registry`` and, under the bare name, in its parent."""

    def both(cls: type) -> type:
        registry.register_module(module=cls)
        registry.parent.register_module(module=cls)
        return cls

    return both


def registered_names() -> dict[Registry, list[str]]:
    """Import all locations and return the names in each of our registries."""
    ours = [HOOKS, METRICS, MODELS, OPTIMIZERS, TRANSFORMS] + ([BATCH_AUGMENTS] if BATCH_AUGMENTS else [])
    for registry in ours:
        registry.import_from_location()
    return {registry: sorted(registry.module_dict) for registry in ours}
