"""multi-view learns from further encryptions of one picture, and nothing from those of another."""

import numpy as np
import pytest
from PIL import Image

from helpers.attacks import attack_places, score_places
from hii_mm import Scheme
from hii_mm.attacks import Given, make
from hii_mm.attacks.evaluation.likeness import Likeness


def enlarged(photo):
    return np.asarray(Image.fromarray(photo).resize((240, 240)))


def crop(photo, y, x):
    return np.ascontiguousarray(photo[y : y + 224, x : x + 224])


def psnr(plain, found):
    return Likeness.calculate(plain, found.image)['psnr']


def test_more_views_of_a_mixed_picture_show_more(scenes):
    scheme, big = Scheme(16, strategy='mixup'), enlarged(scenes['coffee'])
    plan = scheme.plan((224, 224))
    views = [(plan.apply(crop(big, *shift)), shift) for shift in [(0, 0), (3, 5), (9, 2), (6, 11)]]
    one, four = (
        make('multi-view').recover(views[0][0], scheme, Given((224, 224), views=views[:count])) for count in (1, 4)
    )
    assert psnr(crop(big, 0, 0), four) > psnr(crop(big, 0, 0), one) + 2


def test_more_views_bring_back_dropped_patches(scenes):
    plain, scheme = scenes['coffee'], Scheme(16, drop_ratio=0.5)
    plans = [scheme.plan(plain.shape, np.random.default_rng(seed)) for seed in range(12)]
    views = [(plan.apply(plain), (0, 0)) for plan in plans]
    one = make('jigsaw').recover(views[0][0], scheme, Given((224, 224)))
    many = make('multi-view').recover(views[0][0], scheme, Given((224, 224), views=views))
    assert psnr(plain, many) > psnr(plain, one) + 5


def neighbours_with_a_view(scenes, of, **params):
    """Share of right neighbours in coffee, with a second view that shows coffee or another picture."""
    scheme, rng = Scheme(16, **params), np.random.default_rng(0)
    plan = scheme.plan((224, 224), rng)
    victim = plan.apply(crop(enlarged(scenes['coffee']), 0, 0))
    view = scheme.plan((224, 224), rng).apply(crop(enlarged(scenes[of]), 8, 8))
    views = (victim, (0, 0)), (view, (8, 8))
    found = make('multi-view').recover(victim, scheme, Given((224, 224), views=views))
    return score_places(found, plan, victim)['neighbour']


@pytest.mark.parametrize('params', [dict(gap=2), dict(gap=2, orient=True), dict(gap=3, window=7)])
def test_a_view_shifted_by_half_a_patch_bridges_the_gaps(scenes, params):
    assert neighbours_with_a_view(scenes, 'coffee', **params) > 0.9


def test_a_view_of_another_picture_bridges_nothing(scenes):
    scheme = Scheme(16, gap=2)
    alone = attack_places('jigsaw', crop(enlarged(scenes['coffee']), 0, 0), scheme, np.random.default_rng(0))
    assert neighbours_with_a_view(scenes, 'rocket', gap=2) < min(0.8, alone['neighbour'] + 0.1)


def test_views_that_were_mixed_and_shuffled_are_refused(scenes):
    scheme = Scheme(16, strategy='both')
    image = scheme.plan((224, 224), np.random.default_rng(0)).apply(scenes['coffee'])
    with pytest.raises(ValueError, match='mixed and then shuffled'):
        make('multi-view').recover(image, scheme, Given(views=((image, (0, 0)),)))
