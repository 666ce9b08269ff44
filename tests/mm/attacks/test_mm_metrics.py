"""The attack metrics as mm ``METRICS``."""

import numpy as np
import pytest

from hii_mm.attacks.evaluation.places import Places
from hii_mm.encryption import ShuffleParams

pytestmark = pytest.mark.mm


def test_mm_metrics_average_what_the_functions_say(photo):
    from mmengine.registry import METRICS

    import hii_mm.register  # noqa: F401

    plan = ShuffleParams(32).plan(photo.shape, np.random.default_rng(0))
    truth = np.empty(256, int)
    truth[plan.permutation] = np.arange(256)
    found = [truth.reshape(16, 16), np.arange(256).reshape(16, 16)]
    samples = [dict(places=p, permutation=plan.permutation, plain_grid=plan.grid.shape) for p in found]
    metric = METRICS.build(dict(type='PlacesMetric'))
    metric.process(None, samples)
    got = metric.evaluate(2)
    assert got['places/direct'] == np.mean([Places.calculate(**sample)['direct'] for sample in samples])
    assert got['places/direct_worst_decile'] == 1
    metric = METRICS.build(dict(type='hii_mm.LikenessMetric'))
    metric.process(None, [dict(plain=photo, found=photo), dict(plain=photo, found=plan.apply(photo))])
    assert metric.evaluate(2)['likeness/psnr_worst_decile'] == 100
