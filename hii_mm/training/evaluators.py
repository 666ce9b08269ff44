"""Find evaluators that compare predictions on shuffled pictures with boxes of the plain ones."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.registry import METRICS

from ..transforms import PatchShuffle
from .manifest_check import Copy
from .pipelines import Checked

_ADVICE = (
    'its AP would mean nothing. Evaluate a copy that hii-mm encrypt wrote, whose boxes moved with the pixels, or use '
    'a metric that puts fragments back (reads_shuffled = True)'
)


def evaluator_problems(cfg: Mapping[str, Any], checked: Iterable[Checked], copies: Iterable[Copy]) -> list[str]:
    """Return one sentence for each evaluator that would compare shuffled pictures with plain boxes.

    Metrics count that are mmdet's ``CocoMetric`` or derived from it, unless they
    state ``reads_shuffled = True``. A shuffle with ``bbox_mode='keep'`` leaves
    boxes in the plain frame, where they can be compared.

    Args:
        cfg: of the run.
        checked: its pipelines.
        copies: that it reads.
    """
    checked, copies = list(checked), list(copies)
    found = []
    for part in ('val', 'test'):
        for place, kind, truth in _coco(f'{part}_evaluator', cfg.get(f'{part}_evaluator')):
            mine = f'{part}_dataloader'
            steps = [step for each in checked if each.place.startswith(mine) for step in each.encrypting]
            if any(isinstance(step, PatchShuffle) and step.bbox_mode != 'keep' for step in steps):
                found.append(
                    f'{place}: {kind} reads the boxes of the plain pictures, but PatchShuffle in {mine} moves the '
                    f'pixels, so that predictions lie elsewhere: {_ADVICE}'
                )
            for copy in copies:
                if copy.place.startswith(mine) and copy.scheme.shuffle and truth and not _inside(truth, copy.root):
                    found.append(
                        f'{place}: {kind} reads {truth!r}, but {mine} reads the shuffled copy {copy.root!r}: take the '
                        'annotation file in that copy, whose boxes moved with the pixels'
                    )
    return found


def _coco(place: str, evaluator: Any) -> Iterator[tuple[str, str, str | None]]:
    """Yield (place, name, annotation file) of the metrics of an evaluator that read boxes in COCO's format."""
    several = isinstance(evaluator, (list, tuple))
    for i, metric in enumerate(evaluator if several else [evaluator]):
        if not isinstance(metric, Mapping):
            continue
        here = f'{place}[{i}]' if several else place
        if isinstance(metric.get('metrics'), (list, tuple, Mapping)):
            yield from _coco(f'{here}.metrics', metric['metrics'])
        kind = _class(metric.get('type'))
        kinds = getattr(kind, '__mro__', ())
        coco = any(one.__name__ == 'CocoMetric' and one.__module__.startswith('mmdet.') for one in kinds)
        if coco and not getattr(kind, 'reads_shuffled', False):
            yield here, kind.__name__, metric.get('ann_file')


def _class(name: Any) -> Any:
    """Return the class of a metric, None where it is not registered."""
    if not isinstance(name, str):
        return name
    try:
        with METRICS.switch_scope_and_registry(None) as registry:
            return registry.get(name)
    except Exception:  # of a package that is not installed; building the evaluator says so
        return None


def _inside(path: str, folder: str) -> bool:
    """Return whether a file lies below a folder."""
    return osp.realpath(path).startswith(osp.realpath(folder) + osp.sep)
