"""A look at the whole config before a run starts."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper

from .encryption import MixupParams, ShuffleParams
from .registry import HOOKS, register
from .transforms.order import encrypting_transforms, late_transforms, pipelines, transform_name


@register(HOOKS)
class CheckEncryption(Hook):
    """Before a run, compare how images are encrypted with the model that reads them.

    Refuses a geometric transform behind the encryption, and a model whose
    patches are not the encrypted image's. Warns of a position embedding
    behind a shuffle. ``tools/train.py`` and ``tools/test.py`` add this hook;
    with other tools use ``custom_hooks = [dict(type='CheckEncryption')]``.

    Raises:
        ValueError: with every problem found, when the run starts.
    """

    def before_run(self, runner):
        """Check ``runner.cfg`` and ``runner.model``."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        found = list(pipelines(runner.cfg.to_dict()))
        problems = [f'{place}: {text}' for place, entries in found for text in late_transforms(entries)]
        encrypted = [(place, steps) for place, entries in found if (steps := encrypting_transforms(entries))]
        for place, steps in encrypted:
            problems += _patch_problems(place, steps[-1], model)
        if problems:
            raise ValueError('the images and the model do not fit:\n- ' + '\n- '.join(dict.fromkeys(problems)))
        if any(transform_name(step) == 'PatchShuffle' for _, steps in encrypted for step in steps):
            _warn_of_positions(model)


def _patch_problems(place, cfg, model):
    """Sentences on a model whose patches are not those that the last step, ``cfg``, leaves."""
    name = transform_name(cfg)
    kind = {'PatchShuffle': ShuffleParams, 'PatchMixup': MixupParams}[name]
    given = {key: cfg[key] for key in kind.__dataclass_fields__ if key in cfg}
    core = kind(**given).core_size
    read = getattr(_projection(model), 'kernel_size', core)
    if tuple(read) == core:
        return []
    return [
        f'{place}: {name}({", ".join(f"{k}={v!r}" for k, v in given.items())}) leaves patches of '
        f'{core[0]} x {core[1]} (h x w), but the backbone reads patches of {read[0]} x {read[1]}; '
        'set its patch_size to ' + ('patch_size - 2 * gap' if name == 'PatchShuffle' else 'patch_size / grid')
    ]


def _projection(model):
    """The patch embedding's convolution, or None."""
    return getattr(getattr(getattr(model, 'backbone', None), 'patch_embed', None), 'projection', None)


def _warn_of_positions(model):
    backbone = getattr(model, 'backbone', None)
    if getattr(backbone, 'pos_embed', None) is not None:
        print_log(
            f'{type(backbone).__name__} adds a position embedding to every patch, but PatchShuffle puts each patch '
            'in a random place: the embedding then is noise that hides what the patch shows, and the model learns '
            "badly or not at all. Use type='PEViT', the same network without it.",
            logger='current',
            level=30,
        )
