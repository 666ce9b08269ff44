"""Validate encryption settings against the model before a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, find_latest_checkpoint
from torch import nn

from ..errors import CheckpointError, InvalidValueError
from ..models.reading import Reading, reading
from ..registry import HOOKS, register
from ..transforms import PatchMixup
from .checkpoints import SCHEME, position_problems, read_checkpoint, scheme_of_meta, steps_as_config
from .evaluators import evaluator_problems
from .manifest_check import Copy, copies, misfits
from .model_check import order_findings, patch_problems, shuffles
from .pipelines import LOADERS, Checked, Encrypting, checked_pipelines
from .schemes import Ways, label, loader_schemes, scheme_problems, single_scheme, steps_of

if TYPE_CHECKING:
    from mmengine.runner import Runner

TITLE = 'the parts of this run do not fit together'


@register(HOOKS)
class CheckEncryption(Hook):
    """Check that the pipelines, the encrypted copies, the model and the checkpoint of a run fit together.

    Refused, all problems at once, before anything is computed:

    - transforms behind an encrypting one that may move pixels, see :mod:`.pipelines`;
    - a model whose patch size is not that of the encrypted images, whether the
      pipeline encrypts them or they are a copy that ``hii-mm encrypt`` wrote;
    - a model that depends on the order of patches that are shuffled, which is
      measured, see :func:`hii_mm.models.order.order_of`; within windows this is
      a warning;
    - validation or test images that are encrypted in another way than those of
      the training, or not at all;
    - mmdet's ``CocoMetric`` on shuffled pictures with the boxes of the plain ones;
    - a checkpoint that was trained on another scheme: in a test, after a resume,
      and in a training that starts from it if it was trained on encrypted images;
    - a checkpoint with a position embedding for a model without one, or the
      other way round;
    - in a test, a checkpoint whose shapes differ from the model's, such as
      another number of classes: mmengine would leave those weights random.

    Warned of: a PEYOLOS whose pipelines mix nothing, and a model that cannot be
    measured.

    The scheme of the training images is saved in each checkpoint,
    ``meta['hii_mm_scheme']``: the steps as in a pipeline, without seed, key or
    id of a data set. See :func:`.checkpoints.scheme_of_checkpoint`.

    ``tools/train.py`` and ``tools/test.py`` add this hook; with other tools use
    ``custom_hooks = [dict(type='CheckEncryption')]``.

    Args:
        strict: raise; False logs the problems as warnings and goes on.

    Raises:
        InvalidValueError, CheckpointError: with every problem found.
        ManifestError: an encrypted copy with a damaged manifest.
    """

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict
        self._ways: dict[str, Ways] = {}
        self._looked_at: str | None = None
        self._handle: Any = None

    def before_run(self, runner: Runner) -> None:
        """Check the pipelines, the copies, the model and the checkpoint of ``runner``."""
        model = _unwrapped(runner)
        reads = reading(model)
        checked = list(checked_pipelines(runner))
        cfg = runner.cfg.to_dict()
        read_copies = list(copies({name: value for name, value in cfg.items() if name in LOADERS}))
        self._ways = loader_schemes(runner)
        order = order_findings(model, reads, shuffles(checked, read_copies))
        problems = _data_problems(checked, read_copies, reads)
        problems += order.problems + scheme_problems(self._ways) + evaluator_problems(cfg, checked, read_copies)
        problems += self._checkpoint_problems(runner)
        for doubt in order.doubts:
            _warn(doubt)
        if not read_copies:
            steps = [step for pipeline in checked for step in pipeline.encrypting]
            _warn_of_plain_images(type(model).__name__, reads, steps)
        self._answer(problems, InvalidValueError(_listed(TITLE, problems)))
        if _trains(runner) and isinstance(getattr(model, 'backbone', None), nn.Module):
            self._handle = model.backbone.register_load_state_dict_pre_hook(self._before_loading)

    def before_train(self, runner: Runner) -> None:
        """Stop watching what is loaded: by now the weights are."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check a checkpoint that was not seen before the run, such as one behind a URL, and in a test its shapes."""
        state = checkpoint.get('state_dict', checkpoint)
        if self._looked_at is None:
            found = self._fit(runner, checkpoint.get('meta') or {}, state)
            self._answer(found, CheckpointError(_listed(TITLE, found)))
        if not _trains(runner):  # training may start from weights of other classes
            other = _other_shapes(_unwrapped(runner), state)
            why = 'the checkpoint does not fit the model (num_classes, arch or patch size differ)'
            self._answer(other, CheckpointError(_listed(why, other)))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Put the scheme of the training images into the checkpoint; nothing where there are several."""
        ways = self._ways.get(LOADERS[0])
        scheme = single_scheme(ways)
        if scheme is not None or ways == {()}:
            checkpoint['meta'][SCHEME] = steps_as_config(scheme)

    def _checkpoint_problems(self, runner: Runner) -> list[str]:
        """Return what is wrong with the checkpoint that a run is going to load; nothing without one on this disk."""
        path = getattr(runner, '_load_from', None)
        if path is None and getattr(runner, '_resume', False):
            path = find_latest_checkpoint(runner.work_dir)
        self._looked_at = None
        try:
            found = read_checkpoint(path) if path else None
        except CheckpointError:  # mmengine reads more: other formats, and files elsewhere
            return []
        if found is None:
            return []
        self._looked_at = path
        return [f'{path}: {text}' for text in self._fit(runner, found['meta'], found['state_dict'])]

    def _fit(self, runner: Runner, meta: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with a checkpoint."""
        problems = position_problems(_unwrapped(runner), state)
        if SCHEME not in meta:
            return problems
        scheme = scheme_of_meta(meta)
        learned: Ways = frozenset({steps_of(scheme) if scheme else ()})
        resumed = getattr(runner, '_resume', False)
        loops = zip(LOADERS, (runner._train_loop, runner._val_loop, runner._test_loop))
        for loader, loop in loops:
            ways = self._ways.get(loader)
            starts = loader == LOADERS[0] and not resumed and scheme is None  # plain weights may start a training
            if isinstance(loop, BaseLoop) and ways is not None and ways - learned and not starts:
                problems.append(
                    f'the checkpoint was trained on pictures that are {label(learned)}, but those of {loader} are '
                    f'{label(ways - learned)}'
                )
        return problems

    def _before_loading(self, backbone: nn.Module, state: Mapping[str, Any], prefix: str, *args: Any) -> None:
        """Check the position embeddings of weights that ``init_cfg`` loads."""
        names = [name.removeprefix(prefix) for name in state if name.startswith(prefix)]
        found = position_problems(backbone, names)
        self._answer(found, CheckpointError(_listed(TITLE, found)))

    def _answer(self, problems: list[str], error: Exception) -> None:
        """Raise ``error`` if there are problems, or log them."""
        if problems and self.strict:
            raise error
        for problem in dict.fromkeys(problems):
            _warn(problem)


def _data_problems(checked: list[Checked], read_copies: list[Copy], reads: Reading) -> list[str]:
    """Return what is wrong with pipelines and copies, by themselves and for the patches that a model reads."""
    problems = [f'{pipeline.place}: {problem}' for pipeline in checked for problem in pipeline.problems]
    problems += [problem for pipeline in checked for problem in patch_problems(pipeline, reads)]
    for copy in read_copies:
        own = [pipeline for pipeline in checked if pipeline.place == f'{copy.place}.pipeline']
        again = [type(step).__name__ for pipeline in own for step in pipeline.encrypting]
        problems += misfits(copy, reads, again)
    return problems


def _other_shapes(model: nn.Module, state: Mapping[str, Any]) -> list[str]:
    """Return one line for each parameter whose shape in a checkpoint is another than in the model."""
    mine = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in state.items()}
    other = [name for name in mine if theirs.get(name, mine[name]) != mine[name]]
    return [f'{name}: {theirs[name]} in the checkpoint, {mine[name]} in the model' for name in other]


def _trains(runner: Runner) -> bool:
    """Return whether a run trains."""
    return isinstance(runner._train_loop, BaseLoop)


def _unwrapped(runner: Runner) -> nn.Module:
    """Return the model without the wrapper of a distributed run."""
    model: nn.Module = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model


def _warn_of_plain_images(model: str, reads: Reading, steps: list[Encrypting]) -> None:
    """Warn where a model for mixed images gets images that nothing mixes."""
    g = reads.mix_grid
    if g is None or any(isinstance(step, PatchMixup) for step in steps):
        return
    _warn(
        f'{model} reads mixed images, but no pipeline has a PatchMixup: it would take images of plain size for mixed '
        f'ones of {g} times the size. Ignore this if the files are mixed already; otherwise put PatchMixup last in '
        'the pipelines, or set mix_inside=True in patch_embed.'
    )


def _listed(title: str, problems: list[str]) -> str:
    """Return a message with one line for each problem."""
    return '\n- '.join([f'{title}:', *dict.fromkeys(problems)])


def _warn(text: str) -> None:
    """Log a warning."""
    print_log(text, logger='current', level=logging.WARNING)
