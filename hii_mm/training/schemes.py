"""State how the images of each loader of a run are encrypted, and compare the loaders."""

from __future__ import annotations

import os.path as osp
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmengine.runner import BaseLoop

from ..encryption import MixupParams, Scheme, ShuffleParams
from ..errors import InvalidValueError
from .manifest_check import scheme_of_copy
from .pipelines import LOADERS, check_pipeline, compose, wrapped_datasets

if TYPE_CHECKING:
    from mmengine.runner import Runner

Steps = tuple[MixupParams | ShuffleParams, ...]  # what is done to an image, in order; () for plain images
Ways = frozenset[Steps]  # one for each way through a loader


def loader_schemes(runner: Runner) -> dict[str, Ways]:
    """Return how the images of each loader of a run are encrypted.

    An encrypted copy counts as its manifest says, and what the pipeline does
    comes on top. ``remainder`` is left out: it may differ between loaders.

    Args:
        runner: with its loops built, as mmengine has them when it calls ``before_run``.

    Returns:
        By the name of the loader; without those that cannot be told, such as a
        loader that is not built and whose data are not here.
    """
    loops = zip(LOADERS, (runner._train_loop, runner._val_loop, runner._test_loop))
    found = {}
    for loader, loop in loops:
        if isinstance(loop, BaseLoop):
            found[loader] = _ways(loop.dataloader.dataset, getattr, wrapped_datasets, lambda pipeline: pipeline)
        else:
            cfg = (runner.cfg.get(loader) or {}).get('dataset')
            found[loader] = None if cfg is None else _ways(cfg, _item, _wrapped_configs, _built)
    return {loader: ways for loader, ways in found.items() if ways is not None}


def scheme_problems(ways: Mapping[str, Ways]) -> list[str]:
    """Return one sentence for each loader whose images are not encrypted as those that the model learns from.

    Args:
        ways: see :func:`loader_schemes`. Without a training loader the test's are compared with the validation's.
    """
    reference = next((loader for loader in LOADERS if loader in ways), '')
    what = 'is trained on' if reference == LOADERS[0] else 'is validated on'
    return [
        f'{loader}: the pictures are {label(ways[loader] - ways[reference])}, but the model {what} '
        f'{label(ways[reference])} ({reference}); encrypt alike in all pipelines, or read copies of one scheme'
        for loader in LOADERS
        if loader in ways and ways[loader] - ways[reference]
    ]


def label(ways: Iterable[Steps]) -> str:
    """Return the names of ways to encrypt, such as 'plain or RS p 16, gap 0'."""
    return ' or '.join(sorted(_label(steps) for steps in ways))


def single_scheme(ways: Ways | None) -> Scheme | None:
    """Return the scheme of a loader that encrypts all its images alike, None for others."""
    steps = next(iter(ways), ()) if ways is not None and len(ways) == 1 else ()
    try:
        return Scheme.from_steps(*steps) if steps else None
    except InvalidValueError:  # shuffled twice, say
        return None


def _label(steps: Steps) -> str:
    if not steps:
        return 'plain'
    try:
        return Scheme.from_steps(*steps).label
    except InvalidValueError:
        return ' then '.join(Scheme.from_steps(step).label for step in steps)


def steps_of(scheme: Scheme) -> Steps:
    """Return the steps of a scheme, without what to do with a remainder."""
    return tuple(replace(step, remainder='error') for step in scheme.steps)


def _ways(
    dataset: Any,
    item: Callable[[Any, str, None], Any],
    wrapped: Callable[[Any], list[tuple[str, Any]]],
    built: Callable[[Any], Any],
) -> Ways | None:
    """Return how the images of a data set are encrypted, None where that cannot be told.

    Args:
        dataset: a data set, or its config.
        item: reads an attribute of it.
        wrapped: lists the data sets in it.
        built: builds its pipeline.
    """
    inside = [_ways(one, item, wrapped, built) for _, one in wrapped(dataset)]
    pipeline, root = item(dataset, 'pipeline', None), item(dataset, 'data_root', None)
    if inside:
        if any(ways is None for ways in inside):
            return None
        before = frozenset(steps for ways in inside if ways is not None for steps in ways)
    else:
        if pipeline is None or (isinstance(dataset, Mapping) and isinstance(root, str) and not osp.isdir(root)):
            return None
        scheme = scheme_of_copy(root)
        before = frozenset({steps_of(scheme) if scheme else ()})
    if pipeline is None:
        return before
    try:
        ends = check_pipeline('', built(pipeline), True).ends
    except Exception:  # a transform of another package; the check of pipelines logs it
        return None
    own = [tuple(step for transform in chain for step in steps_of(transform.scheme)) for chain in ends]
    return frozenset((*first, *then) for first in before for then in own)


def _item(config: Any, name: str, default: None) -> Any:
    return config.get(name, default) if isinstance(config, Mapping) else default


def _wrapped_configs(config: Any) -> list[tuple[str, Any]]:
    """Return the configs of the data sets in that of a data set."""
    inner = [_item(config, 'dataset', None), *(_item(config, 'datasets', None) or ())]
    return [('', one) for one in inner if isinstance(one, Mapping)]


def _built(pipeline: Any) -> Any:
    return compose(pipeline)
