"""The figures of :mod:`hii_mm.presets` are those of docs/data/*.json, which an installed package does not hold."""

import json
import statistics

import pytest

from helpers import ROOT
from hii_mm.cli import arguments
from hii_mm.presets import ASSUMING, MEASURED, PAGE, PRESETS

DATA = ROOT / 'docs' / 'data'
GUIDE = ROOT / 'docs' / 'guides' / 'owners.md'


def rows():
    """Yield (file, row) of every figure of an attack on photographs."""
    for path in sorted(set(DATA.glob('*.json')) - {DATA / 'annotation_attack.json'}):  # on scenes of pasted items
        for row in json.loads(path.read_text())['rows']:
            if 'attack' in row and 'metrics' in row:
                yield path.name, row


def figures(scheme, metrics):
    """Return {(attack, file): highest mean} of a scheme; the first of the metrics that a row has."""
    found = {}
    for file, row in rows():
        name = next((name for name in metrics if name in row['metrics']), None)
        if row['setting'] == scheme.label and row['attack'] not in ASSUMING and name:
            key = row['attack'], file  # a file may have several sets of photographs
            found[key] = max(row['metrics'][name]['mean'], found.get(key, 0))
    return found


@pytest.mark.parametrize('scheme', MEASURED, ids=lambda scheme: scheme.label)
def test_a_measured_scheme_has_the_best_figure_of_any_file(scheme):
    found = figures(scheme, ('surviving', 'neighbour'))
    best = MEASURED[scheme]
    assert found[best.attack, best.source] == pytest.approx(best.value, abs=1e-9)
    assert best.value >= max(found.values())


def test_no_scheme_with_neighbours_is_left_out():
    assert {scheme.label for scheme in MEASURED} == {
        row['setting'] for _, row in rows() if {'surviving', 'neighbour'} & row['metrics'].keys()
    }


@pytest.mark.parametrize('name', PRESETS)
def test_a_preset_has_the_best_attack(name):
    attack = PRESETS[name].attack
    metrics = ('surviving', 'neighbour') if attack.metric == 'surviving' else (attack.metric,)
    found = {key: value for key, value in figures(PRESETS[name].scheme, metrics).items() if key[1] == attack.source}
    assert found[attack.attack, attack.source] == pytest.approx(attack.value, abs=1e-9)
    assert attack.value == max(found.values())


@pytest.mark.parametrize('name, images', [('paper-rs', '4-pixel patches shuffled'), ('paper-mi', 'sub-patches of 4-')])
def test_the_cost_of_a_preset_is_the_mean_over_the_seeds(name, images):
    accuracy = PRESETS[name].accuracy
    found = json.loads((DATA / accuracy.source).read_text())['rows']
    (row,) = [row for row in found if images in row['images']]
    (plain,) = [row for row in found if row['images'] == 'plain']
    assert round(statistics.mean(row['seeds']), 1) == accuracy.encrypted
    assert round(statistics.mean(plain['seeds']), 1) == accuracy.plain


def test_the_command_line_knows_them_and_the_page_exists():
    assert tuple(PRESETS) == arguments.PRESETS
    assert (ROOT / PAGE).is_file()


@pytest.mark.parametrize('name', PRESETS)
def test_the_guide_for_owners_shows_the_same_figures(name):
    (row,) = [line for line in GUIDE.read_text().splitlines() if line.startswith(f'| `{name}` |')]
    assert str(PRESETS[name].attack) in row
    assert str(PRESETS[name].accuracy) in row
