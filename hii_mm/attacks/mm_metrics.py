"""The metrics as mm ``METRICS``: for a test loop whose results carry reconstructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from ..registry import METRICS, register
from .evaluation.likeness import Likeness
from .evaluation.places import Places
from .evaluation.summary import summary


class _Mean(BaseMetric):  # type: ignore[misc]  # mmengine has no types
    """Average what ``measure`` returns for each sample."""

    @staticmethod
    def measure(sample: Mapping[str, Any]) -> dict[str, float]:
        """Return the figures of one sample; see the subclass for the keys it needs."""
        raise NotImplementedError

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Measure each sample of a batch."""
        self.results += [self.measure(sample) for sample in data_samples]

    def compute_metrics(self, results: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """Return ``{name: mean, name_worst_decile: ...}`` over all samples."""
        found: dict[str, Any] = {}
        for name in results[0]:
            whole = summary([result[name] for result in results])
            found |= {name: whole['mean'], f'{name}_worst_decile': whole['worst_decile']}
        return found


@register(METRICS)
class PlacesMetric(_Mean):
    """Direct, neighbour, surviving, component and perfect.

    Each data sample is a dict with ``places``, ``permutation`` and ``plain_grid``,
    and optionally ``same``, as :meth:`.evaluation.places.Places.calculate` takes them.
    """

    default_prefix = 'places'

    @staticmethod
    def measure(sample: Mapping[str, Any]) -> dict[str, float]:
        """Return the figures of one sample."""
        return Places.calculate(sample['places'], sample['permutation'], sample['plain_grid'], sample.get('same'))


@register(METRICS)
class LikenessMetric(_Mean):
    """PSNR and SSIM. Each data sample is a dict with ``plain`` and ``found``, (H, W, C) uint8."""

    default_prefix = 'likeness'

    @staticmethod
    def measure(sample: Mapping[str, Any]) -> dict[str, float]:
        """Return the figures of one sample."""
        return Likeness.calculate(sample['plain'], sample['found'])
