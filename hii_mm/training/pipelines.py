"""Check built data pipelines: encryption comes last.

A flip, a resize or a pasted rectangle behind an encrypting transform cuts across
the patches of the encrypted image. The check walks through the transforms as
they were built. Behind an encrypting transform only the following are accepted,
and each of them by its exact class, as a subclass may do anything:

- another encrypting transform; subclasses of ours too;
- ``PackInputs``, ``PackMultiTaskInputs``, ``PackDetInputs``, ``PackTrackInputs``, ``PackReIDInputs``;
- transforms that compute each pixel from its own value and from statistics of the image:
  ``Normalize``, ``RandomGrayscale``, ``PhotoMetricDistortion``, ``ColorJitter``;
- mmdet's ``FilterAnnotations``, which drops boxes;
- mmdet's ``LoadAnnotations``, but not in training: boxes that are loaded behind the encryption
  are those of the plain image, to which predictions are scaled back before they are evaluated;
- the wrappers of ``WRAPPERS``, if all transforms in them are accepted.

A transform that does its part of a preset needs the other part beside it.
"""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.runner import BaseLoop

from ..encryption import Scheme
from ..transforms import PatchMixup, PatchShuffle

if TYPE_CHECKING:
    from mmengine.runner import Runner

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
ENCRYPTING = (PatchMixup, PatchShuffle)
Encrypting = PatchMixup | PatchShuffle
Chain = tuple[Encrypting, ...]  # the transforms that encrypt an image on one way through a pipeline, in order
Ends = tuple[Chain, ...]  # one for each way; () stands for images that leave the pipeline as they came
PLAIN: Ends = ((),)

ACCEPTED = (
    'mmcv.transforms.Normalize',
    'mmcv.transforms.RandomGrayscale',
    'mmdet.datasets.transforms.FilterAnnotations',
    'mmdet.datasets.transforms.PackDetInputs',
    'mmdet.datasets.transforms.PackReIDInputs',
    'mmdet.datasets.transforms.PackTrackInputs',
    'mmdet.datasets.transforms.PhotoMetricDistortion',
    'mmpretrain.datasets.transforms.ColorJitter',
    'mmpretrain.datasets.transforms.PackInputs',
    'mmpretrain.datasets.transforms.PackMultiTaskInputs',
)
ACCEPTED_IN_EVALUATION = ('mmdet.datasets.transforms.LoadAnnotations',)
# how each wrapper runs what it holds, and the attribute that holds it
WRAPPERS = {
    'mmengine.dataset.Compose': ('in turn', 'transforms'),
    'mmcv.transforms.Compose': ('in turn', 'transforms'),
    'mmcv.transforms.KeyMapper': ('in turn', 'transforms'),
    'mmcv.transforms.RandomApply': ('perhaps', 'transforms'),
    'mmcv.transforms.RandomChoice': ('one of', 'transforms'),
    'mmcv.transforms.TestTimeAug': ('one of', 'subroutines'),
    'mmcv.transforms.TransformBroadcaster': ('in turn', 'transforms'),
    'mmdet.datasets.transforms.AutoAugment': ('one of', 'transforms'),
    'mmdet.datasets.transforms.MultiBranch': ('one of', 'branch_pipelines'),
    'mmdet.datasets.transforms.ProposalBroadcaster': ('in turn', 'transforms'),
    'mmdet.datasets.transforms.RandAugment': ('any order', 'transforms'),
    'mmdet.datasets.transforms.RandomOrder': ('any order', 'transforms'),
    'mmpretrain.datasets.transforms.ApplyToList': ('in turn', 'transforms'),
    'mmpretrain.datasets.transforms.AutoAugment': ('one of', 'transforms'),
    'mmpretrain.datasets.transforms.MultiView': ('one of', 'transforms'),
    'mmpretrain.datasets.transforms.RandAugment': ('any order', 'transforms'),
}


@dataclass(frozen=True)
class Checked:
    """One pipeline of a run.

    Attributes:
        place: where it stands, such as 'train_dataloader.dataset.pipeline'.
        ends: the transforms that encrypt, in order, one tuple for each way
            through the pipeline; () stands for images that leave it as they came.
        problems: sentences, one for each transform that must not stand where it does.
    """

    place: str
    ends: Ends
    problems: list[str] = field(default_factory=list)

    @property
    def encrypting(self) -> list[Encrypting]:
        """The transforms that encrypt last."""
        return list(dict.fromkeys(chain[-1] for chain in self.ends if chain))


def checked_pipelines(runner: Runner) -> Iterator[Checked]:
    """Check every pipeline of a run: of loaders, of data sets in data sets, and of hooks that switch pipelines.

    A loader that is not built, such as that of the test while training, is
    checked by building its pipelines from the config; if that fails, it is
    logged, as this run does not need them.

    Args:
        runner: with its loops built, as mmengine has them when it calls ``before_run``.
    """
    loops = zip(LOADERS, (runner._train_loop, runner._val_loop, runner._test_loop))
    for loader, loop in loops:
        training, place = loader == LOADERS[0], f'{loader}.dataset'
        if isinstance(loop, BaseLoop):
            yield from _of_dataset(place, loop.dataloader.dataset, training)
            continue
        for inside, steps in _held_pipelines((runner.cfg.get(loader) or {}).get('dataset')):
            try:
                built = compose(steps)
            except Exception as error:  # transforms may raise anything, such as for a missing package
                print_log(f'{place}{inside} is not checked, as it cannot be built: {error}', 'current', logging.WARNING)
                continue
            yield check_pipeline(place + inside, built, training)
    train = runner._train_loop.dataloader.dataset if isinstance(runner._train_loop, BaseLoop) else None
    for hook in runner.hooks:
        for inside, steps in _held_pipelines(vars(hook)):
            place = f'{type(hook).__name__}{inside}'
            yield check_pipeline(place, compose(steps), True, before=_wrapped_ends(train))


def check_pipeline(place: str, steps: Any, training: bool, before: Ends = PLAIN) -> Checked:
    """Check one pipeline.

    Args:
        place: where it stands.
        steps: a built Compose, another callable, or a list of them.
        training: whether the model learns from it.
        before: what happened to the images before.
    """
    walk = _Walk(training)
    ends = walk.follow_all(steps if isinstance(steps, (list, tuple)) else [steps], before)
    return Checked(place, ends, list(dict.fromkeys([*walk.problems, *_incomplete_presets(ends)])))


def _incomplete_presets(ends: Ends) -> Iterator[str]:
    """Yield a sentence for each transform of a preset on a way that does not do the whole of it."""
    for chain in ends:
        done = tuple(one for step in chain for one in step.scheme.with_remainder('error').steps)
        for step in chain:
            if step.preset is not None and done != (whole := Scheme.preset(step.preset)).steps:
                parts = ' and then '.join(f'{kind}(preset={step.preset!r})' for kind in _transforms_of(whole))
                yield (
                    f'{_name(step)} does its part of the preset {step.preset!r} ({whole.label}), but the pipeline does '
                    f'not do that preset and nothing else; it takes {parts}'
                )


def _transforms_of(scheme: Scheme) -> list[str]:
    return ['PatchMixup'] * (scheme.mixup is not None) + ['PatchShuffle'] * (scheme.shuffle is not None)


def _of_dataset(place: str, dataset: Any, training: bool) -> Iterator[Checked]:
    """Check the pipelines of a data set: those of the data sets that it wraps first."""
    for inside, wrapped in wrapped_datasets(dataset):
        yield from _of_dataset(place + inside, wrapped, training)
    steps = getattr(dataset, 'pipeline', None)
    if steps is not None:
        yield check_pipeline(f'{place}.pipeline', steps, training, before=_wrapped_ends(dataset))


def wrapped_datasets(dataset: Any) -> list[tuple[str, Any]]:
    """Return the data sets that a data set wraps, each with its place in it."""
    inner = getattr(dataset, 'dataset', None)
    several = getattr(dataset, 'datasets', None) or ()
    return [('.dataset', inner)] * (inner is not None) + [(f'.datasets[{i}]', one) for i, one in enumerate(several)]


def _wrapped_ends(dataset: Any) -> Ends:
    """Return the ends of the pipelines that run before a data set's own."""
    found = [checked for inside, wrapped in wrapped_datasets(dataset) for checked in _of_dataset(inside, wrapped, True)]
    return _united(checked.ends for checked in found) or PLAIN


def _held_pipelines(holder: Any, place: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the pipelines in configs and attributes: each Compose, and lists under names that end in 'pipeline'."""
    if isinstance(holder, _classes('mmengine.dataset.Compose', 'mmcv.transforms.Compose')):
        yield place, holder
    elif isinstance(holder, Mapping):
        for name, value in holder.items():
            inside = f'{place}.{name}'
            if str(name).endswith('pipeline') and isinstance(value, (list, tuple)):
                yield inside, value
            else:
                yield from _held_pipelines(value, inside)
    elif isinstance(holder, (list, tuple)):
        for i, value in enumerate(holder):
            yield from _held_pipelines(value, f'{place}[{i}]')


def compose(steps: Any) -> Any:
    """Build a pipeline from its config, which stays unchanged; a Compose is returned as it is."""
    return Compose(copy.deepcopy(list(steps))) if isinstance(steps, (list, tuple)) else steps


class _Walk:
    """A walk through the transforms of a pipeline.

    Args:
        training: whether the model learns from the pipeline.

    Attributes:
        problems: sentences so far.
    """

    def __init__(self, training: bool) -> None:
        self.problems: list[str] = []
        accepted = ACCEPTED if training else ACCEPTED + ACCEPTED_IN_EVALUATION
        self._accepted = set(_classes(*accepted))
        self._annotations = set(_classes(*ACCEPTED_IN_EVALUATION))
        self._wrappers = {kind: how for name, how in WRAPPERS.items() for kind in _classes(name)}

    def follow_all(self, steps: Iterable[Any], before: Ends) -> Ends:
        """Walk through transforms that run one after the other; return what happened to the images."""
        for step in steps:
            before = self.follow(step, before)
        return before

    def follow(self, step: Any, before: Ends) -> Ends:
        """Walk through one transform; return what happened to the images."""
        if isinstance(step, ENCRYPTING):
            return _behind(before, step)
        if type(step) in self._wrappers:
            how, attribute = self._wrappers[type(step)]
            held = getattr(step, attribute)
            return self._follow_wrapped(how, list(held.values()) if isinstance(held, dict) else _as_list(held), before)
        by = next((chain[-1] for chain in before if chain), None)
        if by is not None and type(step) not in self._accepted:
            self.problems.append(self._too_late(step, by))
        inside = _encrypting_inside(step)
        if inside is not None:
            self.problems.append(
                f'{_name(step)} holds {_name(inside)}, and what it does to the pixels afterwards is unknown; '
                f'put {_name(inside)} directly into the pipeline, last before Pack*Inputs'
            )
            return _behind(before, inside)
        return before

    def _follow_wrapped(self, how: str, held: list[Any], before: Ends) -> Ends:
        """Walk through what a known wrapper holds."""
        if how == 'in turn':
            return self.follow_all(held, before)
        if how == 'perhaps':
            return _united([before, self.follow_all(held, before)])
        ends = [self.follow(one, before) for one in held]
        if how == 'any order':  # each may come behind every other
            ends = [self.follow(one, _united([before, *ends])) for one in held]
        return _united(ends) or before

    def _too_late(self, step: Any, by: Encrypting) -> str:
        """Return the sentence on a transform behind an encrypting one."""
        name, encrypting = _name(step), _name(by)
        if type(step) in self._annotations:
            return (
                f'{name} comes after {encrypting} and would load boxes of the plain image for an encrypted one; '
                f'put {name} before {encrypting}'
            )
        return (
            f'{name} comes after {encrypting} and may move pixels across the patches of the encrypted image; '
            f'put {name} before {encrypting}, which comes last before Pack*Inputs'
        )


def _behind(before: Ends, step: Encrypting) -> Ends:
    """Return the ends behind an encrypting transform."""
    return tuple(dict.fromkeys(chain if step in chain else (*chain, step) for chain in before))


def _united(several: Iterable[Ends]) -> Ends:
    """Return all ends, each once."""
    return tuple(dict.fromkeys(chain for ends in several for chain in ends))


def _as_list(held: Any) -> list[Any]:
    """Return what a wrapper holds as a list."""
    return list(held) if isinstance(held, (list, tuple)) else [held]


def _name(step: Any) -> str:
    """Return the name of a transform: of its class, or of a function."""
    if inspect.ismethod(step):
        return f'{type(step.__self__).__name__}.{step.__name__}'
    if isinstance(step, functools.partial):
        return f'partial({_name(step.func)})'
    return getattr(step, '__name__', None) or type(step).__name__


def _encrypting_inside(step: Any) -> Encrypting | None:
    """Return an encrypting transform somewhere in the attributes, lists, dicts or closures of a callable, or None."""
    seen, queue = set[int](), [step]
    while queue:
        thing = queue.pop()
        if isinstance(thing, ENCRYPTING):
            return thing
        if id(thing) not in seen:
            seen.add(id(thing))
            queue += _parts(thing)
    return None


def _parts(thing: Any) -> list[Any]:
    """Return what may hold transforms in a container or in a callable."""
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, (list, tuple, set)):
        return list(thing)
    if isinstance(thing, functools.partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    if inspect.ismethod(thing):
        return [thing.__self__]
    if inspect.isfunction(thing):
        return [*inspect.getclosurevars(thing).nonlocals.values(), *(thing.__defaults__ or ())]
    if callable(thing) and not inspect.isclass(thing):
        return list(getattr(thing, '__dict__', {}).values())
    return []


def _classes(*paths: str) -> tuple[type, ...]:
    """Return the classes of dotted paths, without those of modules that are not imported: they have no instances."""
    modules = ((sys.modules.get(module), name) for module, _, name in (path.rpartition('.') for path in paths))
    return tuple(getattr(module, name) for module, name in modules if hasattr(module, name))
