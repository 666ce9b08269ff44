"""The metrics as mm ``METRICS``: for a test loop whose results carry reconstructions."""

from mmengine.evaluator import BaseMetric

from ..registry import METRICS, register
from .metrics import Likeness, Places, summary


class _Mean(BaseMetric):
    """Averages what ``calculate`` gives for each sample."""

    def process(self, data_batch, data_samples):
        """Measure each sample of a batch; see the subclass for the keys it needs."""
        self.results += [self.measure(sample) for sample in data_samples]

    def compute_metrics(self, results):
        """``{name: mean, name_worst_decile: ...}`` over all samples."""
        found = {}
        for name in results[0]:
            whole = summary([result[name] for result in results])
            found |= {name: whole['mean'], f'{name}_worst_decile': whole['worst_decile']}
        return found


@register(METRICS)
class PlacesMetric(_Mean):
    """Direct, neighbour, surviving, component and perfect.

    Each data sample is a dict with ``places``, ``permutation`` and ``plain_grid``,
    as :meth:`hii_mm.attacks.metrics.Places.calculate` takes them.
    """

    default_prefix = 'places'

    @staticmethod
    def measure(sample):
        """The measures of one sample."""
        return Places.calculate(sample['places'], sample['permutation'], sample['plain_grid'], sample.get('same'))


@register(METRICS)
class LikenessMetric(_Mean):
    """PSNR and SSIM. Each data sample is a dict with ``plain`` and ``found``, (H, W, C) uint8."""

    default_prefix = 'likeness'

    @staticmethod
    def measure(sample):
        """The measures of one sample."""
        return Likeness.calculate(sample['plain'], sample['found'])
