"""Ceilings and the search gap: the truth in the same rendering, and what it is worth."""

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks.attackers.identity import Identity
from hii_mm.attacks.base import Given, Recovery
from hii_mm.attacks.evaluation.cases import try_scheme
from hii_mm.attacks.evaluation.ceilings import search, true_picture, true_places
from hii_mm.attacks.evaluation.measure import Measures
from hii_mm.attacks.evaluation.store import Digests


def case_of(photos, scheme, name='face'):
    return try_scheme({name: photos[name]}, scheme, 1, 0)[0][0]


def truth_of(case):
    """A recovery of everything that is in the encrypted image."""
    places, turns = true_places(case.plan.shuffle)
    return Recovery(image=true_picture(case), places=places, turns=turns)


def test_without_loss_the_ceiling_is_the_plain_picture(photos):
    for scheme in (Scheme(16), Scheme(16, orient=True)):
        case = case_of(photos, scheme)
        np.testing.assert_array_equal(true_picture(case), case.plain)


@pytest.mark.parametrize('scheme', [Scheme(16, gap=2), Scheme(16, drop_ratio=0.3), Scheme(16, strategy='both')])
def test_the_truth_reaches_its_ceiling_and_the_encrypted_picture_its_floor(photos, scheme):
    case, measures = case_of(photos, scheme), Measures(0, Digests(), photos)
    found = measures.measure(case, truth_of(case), Given())
    assert found.ceilings == pytest.approx(dict(found.metrics))
    assert found.metrics['psnr'] < 100
    assert found.metrics['photo_layout'] == 1
    assert found.floors['chance']['photo_layout'] == pytest.approx(1 / 3)
    assert (found.metrics['neighbour'] < 1) == bool(scheme.shuffle.drop_ratio)
    np.testing.assert_array_equal(found.true_image, true_picture(case))
    nothing = Identity().recover(case.encrypted, scheme, Given(plain_shape=case.plain_shape))
    floor = measures.measure(case, nothing, Given())
    assert floor.metrics['ssim'] == pytest.approx(floor.floors['encrypted']['ssim'])
    assert floor.ceilings['ssim'] == found.metrics['ssim'] > floor.metrics['ssim']


def test_mixing_alone_has_no_ceiling(photos):
    case = case_of(photos, Scheme(16, strategy='mixup'))
    found = Measures(0, Digests(), photos).measure(case, Recovery(image=case.encrypted), Given())
    assert (found.ceilings, found.true_image, found.search) == ({}, None, None)
    assert found.metrics['photo_layout'] == 1


def test_the_truth_is_worth_more_than_a_shuffle_under_scores_that_know_it(photos):
    case = case_of(photos, Scheme(16))
    plan = case.plan.shuffle
    places, n = true_places(plan)[0], plan.permutation.size
    right, down = np.full((2, n, n), -9, np.float32)
    right[places[:, :-1], places[:, 1:]] = down[places[:-1], places[1:]] = 0
    encrypted = np.arange(n).reshape(plan.shape)
    worth = search(plan, encrypted, (right, down))
    assert worth['found'] < worth['truth'] == search(plan, places, (right, down))['found']
    found = Measures(0, Digests()).measure(case, Recovery(places=encrypted, scores=(right, down)), Given())
    assert found.search == worth
    assert found.metrics['top1'] == 1
    assert Measures(0, Digests()).measure(case, Recovery(places=encrypted), Given()).search is None
