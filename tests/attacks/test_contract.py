"""The contract of attacks: names, refusals, images of all kinds, words, and attacks from outside."""

import importlib.util

import numpy as np
import pytest

from helpers import ROOT
from hii_mm import HiiError, Scheme
from hii_mm.attacks import Attack, Figures, Given, Recovery, make, names, register
from hii_mm.attacks.attackers import FIRST, attack_class
from hii_mm.attacks.evaluation.likeness import Likeness
from hii_mm.errors import AttackRefusedError, InvalidValueError

MI, RS = Scheme(16, strategy='mixup'), Scheme(16)
LEARNED = ['context', 'parrot', 'position-vit', 'unet-inverse']


# names


def test_files_are_named_like_their_attacks():
    files = {path.stem for path in (ROOT / 'hii_mm' / 'attacks' / 'attackers').glob('*.py')} - {'__init__'}
    assert {name.replace('-', '_') for name in names()} == files
    assert names()[: len(FIRST)] == ['identity', 'jigsaw', 'context', 'mixup-inverse', 'linkage', 'bag']


def test_unknown_names_are_listed():
    with pytest.raises(InvalidValueError, match="identity, jigsaw.*got 'magic'"):
        make('magic')


@pytest.mark.parametrize(
    'fields, message',
    [
        (dict(name='jigsaw'), 'unique name'),
        (dict(name=''), 'unique name'),
        (dict(name='fresh', needs=('luck',)), 'must be among public, candidates, pairs, views, annotations, got luck'),
    ],
)
def test_registration_is_checked(fields, message):
    names()
    with pytest.raises(InvalidValueError, match=message):
        register(type('Other', (Attack,), fields))


def test_an_attack_from_outside_comes_last_and_gets_what_it_asks_for(registered):
    class Fresh(Attack):
        """Return how many public photos there are."""

        name = 'fresh'
        needs = ('public',)

        def _recover(self, image, scheme, given):
            return Recovery(facts={'public': len(given.public), 'pieces': image.size})

    registered(Fresh)
    assert names()[-1] == 'fresh'
    image = np.zeros((32, 32, 3), np.uint8)
    found = make('fresh').recover(image, RS, Given(public=(image, image)))
    assert found.facts == {'public': 2, 'pieces': image.size}
    assert found.seconds > 0
    with pytest.raises(AttackRefusedError, match='fresh: needs public'):
        make('fresh').recover(image, RS)


def test_the_docs_have_every_attack_and_each_states_its_source():
    text = (ROOT / 'docs' / 'attacks.md').read_text()
    for name in names():
        assert f'| `{name}`' in text
        assert attack_class(name).source
        assert attack_class(name).cost


def test_attacks_that_learn_name_their_trainer():
    learning = sorted(name for name in names() if attack_class(name).trainer)
    assert learning == sorted(['bag', *LEARNED])
    assert [name for name in learning if attack_class(name).trainer.labelled] == ['bag', 'parrot']
    for name in LEARNED:
        scheme = MI if name == 'unet-inverse' else Scheme(16, gap=5)  # no checkpoint is shipped for that gap
        said = f'no checkpoint: train one with hii-mm attack-train {name}'
        if name == 'context' and importlib.util.find_spec('torch') is None:
            said = 'needs torch, which is not installed'
        with pytest.raises(AttackRefusedError, match=said):
            make(name).recover(np.zeros((32, 32, 3), np.uint8), scheme)


# refusals


@pytest.mark.parametrize(
    'name, scheme, shape, message',
    [
        ('jigsaw', MI, (64, 64), 'nothing was shuffled'),
        ('known-plaintext', MI, (64, 64), 'nothing was shuffled'),
        ('gradient', MI, (64, 64), 'nothing was shuffled'),
        ('context', MI, (64, 64), 'nothing was shuffled'),
        ('position-vit', Scheme(16, orient=True), (64, 64), 'pieces that are turned are not learned'),
        ('mixup-inverse', RS, (64, 64), 'nothing was mixed'),
        ('mixup-inverse', Scheme(16, strategy='both'), (64, 64), 'shuffled too: jigsaw reassembles'),
        ('unet-inverse', RS, (64, 64), 'nothing was mixed'),
        ('mixup-inverse', MI, (60, 64), '60 x 64'),
        ('jigsaw', RS, (16, 16), 'does not hold two or more pieces of 16 x 16'),
        ('jigsaw', Scheme(16, gap=2), (64, 64), '64 x 64'),
        ('jigsaw', Scheme(4, orient=True), (128, 128), '1024 pieces of 8 turns are more than 4800 items'),
        ('identity', RS, (16, 16), 'does not hold two or more pieces'),
        ('linkage', RS, (64, 64), 'needs candidates'),
        ('known-plaintext', RS, (64, 64), 'needs pairs'),
        ('multi-view', RS, (64, 64), 'needs views'),
    ],
)
def test_refusals(name, scheme, shape, message):
    with pytest.raises(HiiError, match=message):
        make(name).recover(np.zeros((*shape, 3), np.uint8), scheme)


# images


@pytest.mark.parametrize('shape', [(32, 48), (16, 32), (48, 48, 1), (32, 32, 3)])
@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'float32'])
@pytest.mark.parametrize('constant', [False, True])
def test_small_and_constant_images_of_any_dtype(shape, dtype, constant):
    image = np.random.default_rng(0).integers(0, 1 if constant else 200, shape).astype(dtype)
    for name, scheme in (('jigsaw', Scheme(16, gap=1)), ('mixup-inverse', MI)):
        encrypted = scheme.plan(shape, np.random.default_rng(0)).apply(image)
        found = make(name).recover(encrypted, scheme, Given(shape[:2]))
        assert found.image.shape == (*shape[:2], 3)
        assert 0 <= found.confidence <= 1
        assert all(np.isfinite(value) for value in Likeness.calculate(image, found.image).values())


# words


def test_identity_says_what_the_shuffle_left_side_by_side():
    identity, floors = attack_class('identity'), {'chance': {'surviving': 0.005}}
    said = identity.words(Figures({'surviving': 0.01}, {}, floors, {}))
    assert said == '1.0% of the neighbouring pieces lie side by side in the encrypted image as it is (chance 0.5%).'
    assert 'pieces that were kept lie' in identity.words(Figures({'surviving': 0.01}, {}, {}, {}, dropped=0.5))
    assert identity.words(Figures({'psnr': 12}, {}, {}, {})) is None


def test_parrot_counts_first_labels_and_says_them():
    parrot = attack_class('parrot')
    runs = [{'labels': [[first, 0.5], ['other', 0.2]]} for first in ('cat', 'dog', 'cat')]
    facts = parrot.summarise([*runs, {}])
    assert facts == {'labels': {'cat': 2, 'dog': 1}}
    said = parrot.words(Figures({}, {}, {}, facts))
    assert said == 'It read the labels "cat" (2), "dog" (1) from the encrypted images. It returns no picture.'
    alone = parrot.words(Figures({}, {}, {}, {'labels': {'cat': 3}}))
    assert alone == 'It read the label "cat" from the encrypted images. It returns no picture.'
    many = parrot.words(Figures({}, {}, {}, {'labels': {letter: 1 for letter in 'abcdefg'}}))
    assert '"e" (1) and 2 more from' in many
    assert parrot.summarise([{}]) == {}
    assert parrot.words(Figures({}, {}, {}, {})) is None


def test_gradient_says_how_far_the_bag_is():
    gradient = attack_class('gradient')
    facts = gradient.summarise([{'bag': 0.25}, {'bag': 0.75}, {}])
    assert facts == {'bag': 0.5}
    assert '0.50 times as far from the true ones' in gradient.words(Figures({}, {}, {}, facts))
    assert gradient.words(Figures({}, {}, {}, gradient.summarise([]))) is None
