"""The judge of classes, which needs torch and its weights."""

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks.evaluation.judges import available, find, judge, label
from hii_mm.attacks.evaluation.photos import sample_photos


@pytest.mark.skipif(available()['classes'] is not None, reason=str(available()['classes']))
def test_the_class_judge_knows_an_espresso_and_not_its_shuffle():
    coffee, cat = sample_photos(224, ['coffee.png', 'chelsea.png']).values()
    assert label(coffee)[0] == 967  # espresso
    assert label(cat)[0] == 285  # Egyptian cat
    assert find(coffee)['classes'] == [967]
    assert judge({'classes': [967]}, coffee) == {'classes': 1.0}
    shuffled = Scheme(16).plan(coffee.shape, np.random.default_rng(0)).apply(coffee)
    assert judge({'classes': [967]}, shuffled) == {'classes': 0.0}
    assert 'classes' not in find(coffee[:48, :48])
