"""The figures of :mod:`hii_mm.presets` are those of docs/data/*.json, which an installed package does not hold."""

import json
import shutil

import pytest

from helpers import ROOT
from hii_mm.cli import arguments
from hii_mm.presets import ASSUMING, MEASURED, PAGE, PRESETS
from hii_mm.recommendation import rule

DATA = ROOT / 'docs' / 'data'
GUIDE = ROOT / 'docs' / 'guides' / 'owners.md'
SETTING = ROOT / 'docs' / 'guides' / 'which_setting.md'


def rows():
    """Yield (file, row) of every figure of an attack on photographs."""
    others = {DATA / 'annotation_attack.json', DATA / 'zoo_attacks.json'}  # on scenes of pasted items, and on items
    for path in sorted(set(DATA.glob('*.json')) - others):
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
    if attack is None:
        assert not figures(PRESETS[name].scheme, ('surviving', 'neighbour'))
        return
    metrics = ('surviving', 'neighbour') if attack.metric == 'surviving' else (attack.metric,)
    found = {key: value for key, value in figures(PRESETS[name].scheme, metrics).items() if key[1] == attack.source}
    assert found[attack.attack, attack.source] == pytest.approx(attack.value, abs=1e-9)
    assert attack.value == max(found.values())


def test_every_preset_states_its_cost_on_the_same_data():
    costs = [PRESETS[name].accuracy for name in PRESETS]
    assert None not in costs
    assert len({(cost.plain, cost.task, cost.source) for cost in costs}) == 1


def test_the_command_line_knows_them_and_the_page_exists():
    assert set(PRESETS) <= set(arguments.PRESETS)
    assert (ROOT / PAGE).is_file()


@pytest.mark.parametrize('name', PRESETS)
def test_the_guide_for_owners_says_what_a_preset_does_and_what_comes_back(name):
    meaning, figures = [line for line in GUIDE.read_text().splitlines() if line.startswith(f'| `{name}` |')]
    assert PRESETS[name].scheme.label in figures
    assert len(meaning) > len(name) + 20


def test_the_accuracies_are_those_of_the_frontier(run, tmp_path):
    run('tools/dev/accuracy_table.py', '--check')
    (tmp_path / 'hii_mm').mkdir()
    shutil.copytree(ROOT / 'tools' / 'dev', tmp_path / 'tools' / 'dev')
    shutil.copy(ROOT / 'hii_mm' / 'accuracy.json', tmp_path / 'hii_mm')
    runs = tmp_path / 'zoo' / 'frontier' / 'epochs-18'
    runs.mkdir(parents=True)
    for scheme, model, seed, accuracy in (
        ('plain', 'ViT', 0, 80),
        ('plain', 'PEViT', 0, 70),
        ('RS p 16, gap 4', 'PEViT', 0, 60.04),
        ('RS p 16, gap 4', 'PEViT', 1, 61),
    ):
        record = dict(scheme=scheme, model=model, seed=seed, accuracy=accuracy, epochs=18)
        (runs / f'{scheme}-{model}-{seed}.json').write_text(json.dumps(record))
    tool = tmp_path / 'tools' / 'dev' / 'accuracy_table.py'
    run(tool, '--check', code=1)
    run(tool)
    found = json.loads((tmp_path / 'hii_mm' / 'accuracy.json').read_text())
    assert (found['plain'], found['encrypted']) == (80.0, {'RS p 16, gap 4': 60.5})
    (runs / 'plain-ViT-0.json').unlink()
    assert 'no run on plain images' in run(tool, code=1).stderr


def test_the_page_on_settings_states_the_rule_of_the_advice():
    text = SETTING.read_text()
    for words in ('little came back', f'{rule.LEAST} ', 'none of these holds', *(f'`{name}`' for name in PRESETS)):
        assert words in text
