"""Where our names are registered.

Bare names (``type='PatchShuffle'``) are looked up by mmdet and mmpretrain in
their own registries first, then in mmengine's root ones: so each class goes
into the root. ``type='hii_mm.PatchShuffle'`` makes mmengine import this module
by itself and ask the child registries below. mmpretrain's ``BATCH_AUGMENTS``
has no root parent, so batch augments go straight into it.
"""

from importlib.util import find_spec

from . import compat

compat.prepare()

from mmengine.registry import HOOKS as ROOT_HOOKS  # noqa: E402
from mmengine.registry import METRICS as ROOT_METRICS  # noqa: E402
from mmengine.registry import MODELS as ROOT_MODELS  # noqa: E402
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS  # noqa: E402
from mmengine.registry import Registry  # noqa: E402

HOOKS = Registry('hook', parent=ROOT_HOOKS, scope='hii_mm', locations=['hii_mm.hooks'])
METRICS = Registry('metric', parent=ROOT_METRICS, scope='hii_mm', locations=['hii_mm.attacks.mm_metrics'])
MODELS = Registry('model', parent=ROOT_MODELS, scope='hii_mm', locations=['hii_mm.models'])
TRANSFORMS = Registry('transform', parent=ROOT_TRANSFORMS, scope='hii_mm', locations=['hii_mm.transforms'])
BATCH_AUGMENTS = None
if find_spec('mmpretrain'):
    from mmpretrain.registry import BATCH_AUGMENTS as HOST_BATCH_AUGMENTS

    BATCH_AUGMENTS = Registry('batch augment', parent=HOST_BATCH_AUGMENTS, scope='hii_mm', locations=['hii_mm.models'])


def register(registry):
    """Class decorator: register in ``registry`` and, as a bare name, in its parent."""

    def both(cls):
        registry.register_module(module=cls)
        registry.parent.register_module(module=cls)
        return cls

    return both


def registered_names():
    """``{registry of ours: [names]}`` of everything registered."""
    ours = [HOOKS, METRICS, MODELS, TRANSFORMS] + ([BATCH_AUGMENTS] if BATCH_AUGMENTS else [])
    for registry in ours:
        registry.import_from_location()
    return {registry: sorted(registry.module_dict) for registry in ours}
