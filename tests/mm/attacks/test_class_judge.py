"""The judge of classes, which needs torch and its weights."""

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks.evaluation.gallery import PHOTO, Gallery, PhotoRetrieval
from hii_mm.attacks.evaluation.judge_classes import features, label
from hii_mm.attacks.evaluation.judges import available, find, judge
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


@pytest.mark.skipif(available()['photo'] is not None, reason=str(available()['photo']))
def test_the_features_of_a_photo_pick_it_and_those_of_noise_do_not():
    scenes = sample_photos(224, ['astronaut.png', 'chelsea.png', 'coffee.png', 'rocket.jpg', 'china.jpg'])
    gallery, rng = Gallery(scenes), np.random.default_rng(0)
    hits = []
    for name, plain in scenes.items():
        choice = gallery.choice(name, plain)
        assert PhotoRetrieval.chance(choice)[PHOTO] == 1 / len(choice.layouts)
        assert PhotoRetrieval.calculate(choice, plain)[PHOTO] == 1
        noise = rng.integers(0, 256, plain.shape).astype(np.uint8)
        hits.append(PhotoRetrieval.calculate(choice, noise)[PHOTO])
    assert np.mean(hits) < 0.4
    assert features(noise).shape == (1280,)
