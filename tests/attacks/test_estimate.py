"""What a run is said to cost before it starts."""

import pytest

from hii_mm import Scheme
from hii_mm.attacks.attackers import attack_class, names
from hii_mm.attacks.evaluation.estimate import BESIDE, BY_PIECES, CPU_SECONDS, SHOWN, cost, estimate

RECORD = {'jigsaw': 6.0}


def test_cost_grows_faster_than_the_pieces():
    small, large = (cost('jigsaw', Scheme(16), (side, side, 3), RECORD) for side in (224, 448))
    assert small == 6.0
    assert 4 * small < large < 16 * small
    assert cost('jigsaw', Scheme(16, strategy='mixup'), (224, 224), RECORD) == 0


def test_an_estimate_says_what_makes_it_shorter():
    big = estimate([(Scheme(16), (768, 1024, 3))] * 50, ['jigsaw'], 50)
    assert big.words(2).endswith(': 50 photos x 1 attack; --images 10 or --size 224 for less')
    quick = estimate([(Scheme(16), (32, 32, 3))], ['identity'], 1)
    assert quick.words(1) == 'about 13 s: 1 photo x 1 attack'


def test_every_attack_is_counted_once_and_judges_once_an_image():
    runs = [(Scheme(16), (224, 224, 3))]
    one, two = (estimate(runs, ['jigsaw'] * count, 1).seconds for count in (1, 2))
    assert two - one == pytest.approx(CPU_SECONDS['jigsaw'] + SHOWN)
    assert one == BESIDE + SHOWN + CPU_SECONDS['jigsaw']


def test_every_attack_of_the_package_has_a_record():
    assert set(CPU_SECONDS) == {name for name in names() if (attack_class(name).__module__).startswith('hii_mm.')}
    assert set(BY_PIECES) <= set(CPU_SECONDS)
