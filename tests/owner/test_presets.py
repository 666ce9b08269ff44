"""Presets, and warnings about schemes that hide little."""

import re

import pytest

import hii_mm
from hii_mm import Scheme, named
from hii_mm.errors import InvalidValueError
from hii_mm.named import NAMED, choices
from hii_mm.presets import MEASURED, MOST_NEIGHBOURS, PRESETS, name_of, table, warning

FROZEN = {  # never change a line: configs, manifests and checkpoints of others depend on it
    'paper-rs': Scheme(patch_size=16),
    'paper-mi': Scheme(patch_size=16, strategy='mixup', grid=2),
    'light-v1': Scheme(patch_size=16, gap=2, noise=16),
    'strong-v1': Scheme(patch_size=8, gap=2),
    'mixed-v1': Scheme(patch_size=16, strategy='both', grid=2, gap=1),
}


@pytest.mark.parametrize('name', FROZEN)
def test_the_parameters_of_a_name_are_frozen(name):
    assert Scheme.preset(name) == PRESETS[name].scheme == FROZEN[name]
    assert name_of(FROZEN[name].with_remainder('crop')) == name


def test_every_name_is_frozen_and_public():
    assert list(PRESETS) == list(NAMED) == list(FROZEN)
    assert hii_mm.PRESETS is PRESETS
    assert name_of(Scheme(16, gap=3)) is None


def test_a_name_without_a_version_is_the_newest(monkeypatch):
    assert choices() == ('paper-rs', 'paper-mi', 'light', 'light-v1', 'strong', 'strong-v1', 'mixed', 'mixed-v1')
    assert Scheme.preset('mixed') == FROZEN['mixed-v1']
    more = {f'light-v{number}': ('', dict(patch_size=32, gap=number)) for number in (10, 2)}
    monkeypatch.setattr(named, 'NAMED', {**NAMED, **more})
    assert Scheme.preset('light').shuffle.gap == 10
    assert Scheme.preset('light-v1') == FROZEN['light-v1']
    assert choices()[-3:] == ('light', 'light-v10', 'light-v2')


@pytest.mark.parametrize('name', ['paper', 'light-v9', 'paper-rs-v1', ''])
def test_another_name_is_refused_with_those_there_are(name):
    with pytest.raises(InvalidValueError, match=f"preset must be one of paper-rs, .*mixed-v1, got '{name}'"):
        Scheme.preset(name)


def test_the_table_has_parameters_meaning_attack_and_cost_with_their_files():
    text = table()
    for name, entry in PRESETS.items():
        assert f'{name}: {entry.scheme.label}: {entry.meaning}' in text
        assert entry.attack is None or f'{entry.attack} (docs/data/{entry.attack.source})' in text
        assert entry.accuracy is None or f'{entry.accuracy} ({entry.accuracy.source})' in text
    assert text.count('not measured') == sum(one is None for e in PRESETS.values() for one in (e.attack, e.accuracy))
    assert re.search(r'jigsaw puts 99(\.\d)? % of neighbouring patches back together \(docs/data/audit\.json\)', text)
    assert all(len(line) <= 160 for line in text.splitlines())


@pytest.mark.parametrize('scheme', MEASURED, ids=lambda scheme: scheme.label)
def test_a_measured_scheme_is_judged_by_its_own_figure(scheme):
    assert (warning(scheme) is not None) == (MEASURED[scheme].value > MOST_NEIGHBOURS)
    said = warning(scheme)
    assert said is None or (said.startswith(f'{scheme.label}: {MEASURED[scheme]}; ') and 'measured at' not in said)
    assert warning(scheme.with_remainder('crop')) == said


@pytest.mark.parametrize(
    'scheme, known',
    [
        (Scheme(8), Scheme(16)),  # smaller patches: more of them, but nothing was measured there
        (Scheme(32), Scheme(16)),
        (Scheme((16, 64)), Scheme(16)),
        (Scheme(32, gap=1), Scheme(32, gap=2)),
        (Scheme(12, gap=1, orient=True), Scheme(16, orient=True)),
        (Scheme(16, gap=2, window=4), Scheme(16, window=4)),
        (Scheme(16, window=5), Scheme(16, window=4)),
        (Scheme(16, drop_ratio=0.3), Scheme(16, drop_ratio=0.25)),
        (Scheme(16, strategy='both', window=2), Scheme(16, window=2)),
        (Scheme(16, noise=8), Scheme(16)),
        (Scheme(16, gap=2, noise=15), Scheme(16, gap=2)),
    ],
)
def test_another_scheme_is_judged_by_the_nearest_measured_one(scheme, known):
    assert warning(scheme) == (
        f'{scheme.label}: {MEASURED[known]} (measured at {known.label}); see docs/measured_attacks.md'
    )


@pytest.mark.parametrize(
    'scheme',
    [
        Scheme(12, gap=4),
        Scheme(16, gap=4, orient=True, drop_ratio=0.5),
        Scheme(16, gap=6),
        Scheme(16, strategy='both', gap=2),
        Scheme(8, strategy='both', gap=1),
        Scheme(16, gap=2, noise=31),
        Scheme(16, gap=2, noise=40),
    ],
    ids=lambda scheme: scheme.label,
)
def test_no_warning_where_a_scheme_that_hides_less_holds(scheme):
    assert warning(scheme) is None


@pytest.mark.parametrize('scheme', [Scheme(48, gap=4), Scheme(48, strategy='both', grid=4), Scheme(33, gap=5)])
def test_a_scheme_that_nothing_measured_covers(scheme):
    assert 'no attack on this scheme was measured; try hii-mm attack' in warning(scheme)


@pytest.mark.parametrize('scheme', [Scheme(16, strategy='mixup'), Scheme(8, strategy='mixup', grid=4)])
def test_plain_mixing_is_always_warned_about(scheme):
    assert warning(scheme).startswith(f'{scheme.label}: mixing alone is close to pixelation: mixup-inverse ')
    assert re.search(r'\d\d % of pictures; see docs/measured_attacks\.md$', warning(scheme))
