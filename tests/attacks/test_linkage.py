"""linkage names the right candidate, through JPEG too, and is unsure without it."""

import io

import numpy as np
import pytest
from PIL import Image

from hii_mm import Scheme
from hii_mm.attacks import Figures, Given, make
from hii_mm.attacks.attackers import attack_class


@pytest.mark.parametrize(
    'scheme',
    [
        Scheme(16),
        Scheme(16, gap=3, drop_ratio=0.5, orient=True),
        Scheme(16, strategy='mixup'),
        Scheme(16, strategy='both', gap=1),
    ],
)
@pytest.mark.parametrize('plain_shape', [(224, 224), None])
def test_the_right_candidate_is_named_through_jpeg(scenes, scheme, plain_shape):
    candidates = tuple(scenes.values())
    for truth in range(0, len(candidates), 3):
        plan = scheme.plan((224, 224), np.random.default_rng(truth))
        file = io.BytesIO()
        Image.fromarray(plan.apply(candidates[truth])).save(file, 'JPEG', quality=60)
        noisy = np.asarray(Image.open(file))
        found = make('linkage').recover(noisy, scheme, Given(plain_shape, candidates=candidates))
        assert found.ranking[0] == truth
        assert np.argmin(found.facts['distances']) == truth
        np.testing.assert_array_equal(found.image, candidates[truth])


def test_it_is_unsure_when_the_photo_is_not_among_the_candidates(scenes):
    scheme, candidates = Scheme(16), tuple(scenes.values())
    encrypted = scheme.plan((224, 224), np.random.default_rng(0)).apply(candidates[0])
    sure = {}
    for first in (0, 1):
        given = Given((224, 224), candidates=candidates[first:])
        sure[first] = make('linkage').recover(encrypted, scheme, given).confidence
    assert sure[0] > 0.9
    assert sure[1] < 0.5


def test_its_main_metric_and_words():
    linkage = attack_class('linkage')
    figures = Figures({'named': 0.5}, {}, {'chance': {'named': 0.1}}, {})
    assert linkage.main == 'named'
    assert linkage.words(figures) == 'The right photo was named for 50% of the images (chance 10.0%).'
    assert linkage.words(Figures({}, {}, {}, {})) is None
