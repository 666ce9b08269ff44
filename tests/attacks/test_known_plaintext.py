"""known-plaintext recovers a permutation that is used twice, and nothing of another one."""

import numpy as np
import pytest

from helpers.attacks import score_places
from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.evaluation.likeness import Likeness


@pytest.mark.parametrize('given', [dict(), dict(gap=2, orient=True), dict(drop_ratio=0.25), dict(strategy='both')])
def test_a_fixed_permutation_is_recovered(scenes, given):
    scheme, victim = Scheme(16, **given), scenes['coffee']
    plan = scheme.plan(victim.shape, np.random.default_rng(3))
    pairs = tuple((scenes[name], plan.apply(scenes[name])) for name in ('astronaut', 'rocket'))
    found = make('known-plaintext').recover(plan.apply(victim), scheme, Given((224, 224), pairs=pairs))
    right = plan.shuffle.places.reshape(plan.shuffle.grid.shape)
    assert (found.places == right)[right >= 0].mean() >= 0.99
    if not given:
        assert Likeness.calculate(victim, found.image)['psnr'] > 30


def test_another_permutation_recovers_nothing(scenes):
    scheme, plain, victim = Scheme(16), scenes['astronaut'], scenes['coffee']
    known, other = (scheme.plan(plain.shape, np.random.default_rng(seed)) for seed in (0, 1))
    encrypted = other.apply(victim)
    found = make('known-plaintext').recover(encrypted, scheme, Given(pairs=((plain, known.apply(plain)),)))
    assert score_places(found, other, encrypted)['neighbour'] < 0.05
