"""Validate encryption settings against the model before a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from torch import nn

from ..errors import CheckpointError, InvalidValueError
from ..models.reading import Reading, reading
from ..registry import HOOKS, register
from ..transforms import PatchMixup, PatchShuffle
from .manifest_check import copies, misfits
from .pipelines import LOADERS, Checked, Encrypting, checked_pipelines

if TYPE_CHECKING:
    from mmengine.runner import Runner


@register(HOOKS)
class CheckEncryption(Hook):
    """Check that the pipelines, the encrypted copies and the model of a run fit together.

    Refused, all problems at once, before anything is computed:

    - transforms behind an encrypting one that may move pixels, see :mod:`.pipelines`;
    - a model whose patch size is not that of the encrypted images, whether the
      pipeline encrypts them or they are a copy that ``hii-mm encrypt`` wrote;
    - in a test, a checkpoint whose shapes differ from the model's, such as
      another number of classes: mmengine would leave those weights random.

    Warned of: a position embedding on shuffled images, and a PEYOLOS whose
    pipelines mix nothing.

    ``tools/train.py`` and ``tools/test.py`` add this hook; with other tools use
    ``custom_hooks = [dict(type='CheckEncryption')]``.

    Raises:
        InvalidValueError, CheckpointError: with every problem found.
        ManifestError: an encrypted copy with a damaged manifest.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare the shapes of ``checkpoint['state_dict']`` with those of ``runner.model`` before a test."""
        if isinstance(runner._train_loop, BaseLoop):  # training may start from weights of other classes
            return
        mine = {name: tuple(value.shape) for name, value in _unwrapped(runner).state_dict().items()}
        theirs = {name: tuple(value.shape) for name, value in checkpoint.get('state_dict', checkpoint).items()}
        other = [name for name in mine if theirs.get(name, mine[name]) != mine[name]]
        if other:
            lines = [f'{name}: {theirs[name]} in the checkpoint, {mine[name]} in the model' for name in other]
            raise CheckpointError(
                'the checkpoint does not fit the model (num_classes, arch or patch size differ):\n- '
                + '\n- '.join(lines)
            )

    def before_run(self, runner: Runner) -> None:
        """Check the pipelines, the copies and the model of ``runner``."""
        reads = reading(_unwrapped(runner))
        checked = list(checked_pipelines(runner))
        loaders = {name: cfg for name, cfg in runner.cfg.to_dict().items() if name in LOADERS}
        read_copies = list(copies(loaders))
        problems = [f'{pipeline.place}: {problem}' for pipeline in checked for problem in pipeline.problems]
        problems += [problem for pipeline in checked for problem in patch_problems(pipeline, reads)]
        for copy in read_copies:
            again = [
                type(step).__name__
                for pipeline in checked
                if pipeline.place == f'{copy.place}.pipeline'
                for step in pipeline.encrypting
            ]
            problems += misfits(copy, reads, again)
        if problems:
            raise InvalidValueError(
                'the images do not fit the pipeline or the model:\n- ' + '\n- '.join(dict.fromkeys(problems))
            )
        steps = [step for pipeline in checked for step in pipeline.encrypting]
        if any(isinstance(step, PatchShuffle) for step in steps) or any(copy.scheme.shuffle for copy in read_copies):
            _warn_of_positions(reads)
        if not read_copies:
            _warn_of_plain_images(type(_unwrapped(runner)).__name__, reads, steps)


def _unwrapped(runner: Runner) -> nn.Module:
    """Return the model without the wrapper of a distributed run."""
    model: nn.Module = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model


def patch_problems(pipeline: Checked, reads: Reading) -> list[str]:
    """Return one sentence for each way through a pipeline that leaves other patches than the model reads."""
    return [text for step in pipeline.encrypting if (text := _patch_problem(pipeline.place, step, reads))]


def _patch_problem(place: str, step: Encrypting, reads: Reading) -> str:
    """Return what is wrong with the patches that ``step`` leaves, or ''."""
    name, scheme, read = type(step).__name__, step.scheme, reads.patch_size
    if reads.mixes_inside and isinstance(step, PatchMixup):
        return f'{place}: {name} mixes the images, and mix_inside=True would mix them again: remove one of the two'
    if read is None or tuple(read) == scheme.core_size:
        return ''
    h, w = scheme.core_size
    return (
        f'{place}: {name} ({scheme.label}) leaves patches of {h} x {w} (h x w), but the backbone reads patches of '
        f'{read[0]} x {read[1]}; set its patch_size to '
        + ('patch_size - 2 * gap' if isinstance(step, PatchShuffle) else 'patch_size / grid')
    )


def _warn_of_plain_images(model: str, reads: Reading, steps: list[Encrypting]) -> None:
    """Warn where a model for mixed images gets images that nothing mixes."""
    g = reads.mix_grid
    if g is None or any(isinstance(step, PatchMixup) for step in steps):
        return
    print_log(
        f'{model} reads mixed images, but no pipeline has a PatchMixup: it would take images of plain size for mixed '
        f'ones of {g} times the size. Ignore this if the files are mixed already; otherwise put PatchMixup last in '
        'the pipelines, or set mix_inside=True in patch_embed.',
        logger='current',
        level=logging.WARNING,
    )


def _warn_of_positions(reads: Reading) -> None:
    """Warn where a model with positions gets shuffled images."""
    if reads.positions:
        print_log(
            f'{reads.name} adds a position embedding to every patch, but PatchShuffle puts each patch in a random '
            'place: the embedding then is noise, and the model learns badly or not at all. '
            "Use type='PEViT', the same network without it.",
            logger='current',
            level=logging.WARNING,
        )
