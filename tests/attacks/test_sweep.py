"""Schemes along one parameter at a time."""

import pytest

from hii_mm import Scheme
from hii_mm.attacks.evaluation.sweep import parse
from hii_mm.encryption import MixupParams, ShuffleParams
from hii_mm.errors import UsageError


def test_sweeps_vary_one_thing_at_a_time():
    start = Scheme(16, gap=1)
    found = parse('drop=0:0.75, patch=8:16:4, noise=0:32:16, orient, tone', start)
    assert [scheme.label for _, scheme in found['noise']][1:] == [
        'RS p 16, gap 1, noise 16',
        'RS p 16, gap 1, noise 32',
    ]
    assert [scheme.shuffle.drop_ratio for _, scheme in found['drop']] == [0, 0.25, 0.5, 0.75]
    assert [(value, scheme.patch_size, scheme.shuffle.gap) for value, scheme in found['patch']] == [
        (8, (8, 8), 1),
        (12, (12, 12), 1),
        (16, (16, 16), 1),
    ]
    assert found['orient'] == [('off', start), ('on', Scheme(16, gap=1, orient=True))]
    assert found['tone'] == [('off', start), ('on', Scheme(16, gap=1, tone=True))]
    mixed = parse('mixup', start)['mixup'][1][1]
    assert mixed == Scheme.from_steps(MixupParams(16, 2), ShuffleParams(8, gap=1))


def test_labels_keep_the_digits():
    found = (
        parse('drop=0.07:0.1234567:0.0534567', Scheme(16))['drop'] + parse('drop=0.1:0.11:0.005', Scheme(16))['drop']
    )
    labels = [scheme.label.split(', ')[-1] for _, scheme in found]
    assert labels == ['drop 7%', 'drop 12.3457%', 'drop 10%', 'drop 10.5%', 'drop 11%']


def test_a_sweep_of_a_mixed_scheme_varies_its_shuffle():
    found = parse('gap=0:1', Scheme(16, strategy='both', remainder='crop'))['gap']
    assert [scheme.label for _, scheme in found] == ['RS on MI p 16, grid 2, gap 0', 'RS on MI p 16, grid 2, gap 1']
    assert {scheme.remainder for _, scheme in found} == {'crop'}


@pytest.mark.parametrize(
    'text',
    [
        'gap',
        'gap=',
        'gap=a:b',
        'gap=2:1',
        'gap=0:4:0',
        'gap=0:99',
        'drop=0:0.5:0.1:2',
        'zoom=1:2',
        'orient=1',
        'tone=1',
        ',',
        '',
    ],
)
def test_sweeps_that_are_not_accepted(text):
    with pytest.raises(UsageError, match='a sweep '):
        parse(text, Scheme(16))


@pytest.mark.parametrize(
    'text, message',
    [
        ('drop=0:inf', "finite numbers, got 'drop=0:inf'"),
        ('drop=nan:1', "finite numbers, got 'drop=nan:1'"),
        ('drop=0:0.5:nan', "finite numbers, got 'drop=0:0.5:nan'"),
        ('drop=0:0.5:1e-320', 'at most 50 values for each parameter, got more'),
        (f'gap=0:{10**400}', 'at most 50 values for each parameter, got more'),
    ],
)
def test_sweeps_without_an_end(text, message):
    with pytest.raises(UsageError, match=message):
        parse(text, Scheme(16))
    assert len(parse('gap=0:7, window=2:51', Scheme(16))['window']) == 50


@pytest.mark.parametrize(
    'text, scheme, message',
    [
        ('gap=0:1', Scheme(16, strategy='mixup'), 'varies a shuffle'),
        ('patch=8:16:8', Scheme(16, strategy='both'), 'varies a shuffle alone'),
        ('mixup', Scheme(16, strategy='both'), 'with and without'),
        ('mixup', Scheme(15), 'must be even, got 15 x 15'),
        ('gap=0:8', Scheme(16), 'gap 8 leaves nothing'),
    ],
)
def test_schemes_that_cannot_be_swept(text, scheme, message):
    with pytest.raises(UsageError, match=message):
        parse(text, scheme)
