"""A look at the whole config before a run starts."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from .encryption import MixupParams, ShuffleParams
from .handover.trainer import copies, misfits
from .registry import HOOKS, register
from .transforms.order import encrypting_transforms, late_transforms, pipelines, transform_name


@register(HOOKS)
class CheckEncryption(Hook):
    """Before a run, compare how images are encrypted with the model that reads them.

    Refuses a geometric transform behind the encryption, and a model whose
    patches are not the encrypted image's, whether the pipeline encrypts or
    the data set is a copy that ``hii-mm encrypt`` wrote. Warns of a position embedding
    behind a shuffle, and of a PEYOLOS whose pipelines mix nothing. Before a
    test, refuses a checkpoint of other shapes, such as another number of
    classes: mmengine would leave those weights random. ``tools/train.py`` and ``tools/test.py`` add this hook;
    with other tools use ``custom_hooks = [dict(type='CheckEncryption')]``.

    Raises:
        ValueError: with every problem found, when the run starts.
    """

    def after_load_checkpoint(self, runner, checkpoint):
        """Compare the shapes of ``checkpoint['state_dict']`` with ``runner.model``'s, before a test."""
        if isinstance(runner._train_loop, BaseLoop):  # training may well start from other classes
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        mine = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        theirs = {name: tuple(value.shape) for name, value in checkpoint.get('state_dict', checkpoint).items()}
        other = [name for name in mine if theirs.get(name, mine[name]) != mine[name]]
        if other:
            lines = [f'{name}: {theirs[name]} in the checkpoint, {mine[name]} in the model' for name in other]
            raise ValueError(
                'the checkpoint and the model do not fit (num_classes, arch or patch size differ):\n- '
                + '\n- '.join(lines)
            )

    def before_run(self, runner):
        """Check ``runner.cfg`` and ``runner.model``."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        found = list(pipelines(runner.cfg.to_dict()))
        problems = [f'{place}: {text}' for place, entries in found for text in late_transforms(entries)]
        encrypted = [(place, steps) for place, entries in found if (steps := encrypting_transforms(entries))]
        for place, steps in encrypted:
            problems += _patch_problems(place, steps[-1], model)
        made = list(copies({name: cfg for name, cfg in runner.cfg.to_dict().items() if name.endswith('_dataloader')}))
        for place, cfg, head in made:
            kernel, grid = getattr(_projection(model), 'kernel_size', None), _reads_mixed(model)
            names = [transform_name(step) for step in encrypting_transforms(cfg['pipeline'])]
            problems += misfits(place, head, kernel, grid, names)
        if problems:
            raise ValueError('the images and the model do not fit:\n- ' + '\n- '.join(dict.fromkeys(problems)))
        if any(transform_name(step) == 'PatchShuffle' for _, steps in encrypted for step in steps):
            _warn_of_positions(model)
        if any(head['parameters']['strategy'] != 'mixup' for _, _, head in made):
            _warn_of_positions(model)
        if not made:
            _warn_of_plain_images(model, [step for _, steps in encrypted for step in steps])


def _patch_problems(place, cfg, model):
    """Sentences on a model whose patches are not those that the last step, ``cfg``, leaves."""
    name = transform_name(cfg)
    kind = {'PatchShuffle': ShuffleParams, 'PatchMixup': MixupParams}[name]
    given = {key: cfg[key] for key in kind.__dataclass_fields__ if key in cfg}
    core = kind(**given).core_size
    read = getattr(_projection(model), 'kernel_size', core)
    if getattr(getattr(model.backbone, 'patch_embed', None), 'mix_inside', False):
        return [f'{place}: {name} mixes the images, and mix_inside=True would mix them again: leave one out']
    if tuple(read) == core:
        return []
    return [
        f'{place}: {name}({", ".join(f"{k}={v!r}" for k, v in given.items())}) leaves patches of '
        f'{core[0]} x {core[1]} (h x w), but the backbone reads patches of {read[0]} x {read[1]}; '
        'set its patch_size to ' + ('patch_size - 2 * gap' if name == 'PatchShuffle' else 'patch_size / grid')
    ]


def _projection(model):
    """The patch embedding's first convolution, or None."""
    embed = getattr(getattr(model, 'backbone', None), 'patch_embed', None)
    names = ('projection', 'proj', 'proj_siat')  # mmpretrain's, YOLOS's, PEYOLOS's
    return next((getattr(embed, name) for name in names if hasattr(embed, name)), None)


def _reads_mixed(model):
    """The grid of the mixed images that a model reads, or None."""
    embed = getattr(getattr(model, 'backbone', None), 'patch_embed', None)
    return None if getattr(embed, 'mix_inside', True) else embed.grid


def _warn_of_plain_images(model, steps):
    g = _reads_mixed(model)
    if g is None or any(transform_name(step) == 'PatchMixup' for step in steps):
        return
    print_log(
        f'{type(model).__name__} reads mixed images, and no pipeline has a PatchMixup: pictures of plain size would '
        f'be taken for mixed ones of {g} times the size. Right if the files are mixed already; else put PatchMixup '
        'last in the pipelines, or set mix_inside=True in patch_embed.',
        logger='current',
        level=30,
    )


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
