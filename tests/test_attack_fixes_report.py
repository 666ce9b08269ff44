"""What the runner keeps apart, and what figures and verdicts of a report may say."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hii_mm.attacks import Attack, Given, Recovery, Setting, base
from hii_mm.attacks.cases import Case, try_setting
from hii_mm.attacks.metrics import Places, chance, classes, summary, turned_classes
from hii_mm.attacks.page import page, summary_table
from hii_mm.attacks.pieces import cut, turn
from hii_mm.attacks.plots import LABELS
from hii_mm.attacks.report import build, write_text
from hii_mm.attacks.runner import Runner
from hii_mm.encryption import ShuffleParams

ABOUT = {'created': '', 'command': '', 'mode': '', 'interrupted': False, 'skipped_files': []}


class Probe(Attack):
    """Does what a test wants, and counts how often."""

    name, source, cost = 'probe', 'a test', 'nothing'
    calls, act, found = 0, None, Recovery()

    def _recover(self, image, setting, given):
        Probe.calls += 1
        if Probe.act:
            Probe.act()
        return Probe.found


@pytest.fixture(autouse=True)
def probe(monkeypatch):
    """The attack is known only here: other tests go through all names."""
    monkeypatch.setitem(base._ATTACKS, Probe.name, Probe)
    Probe.calls, Probe.act, Probe.found = 0, None, Recovery()


def noise(seed, shape=(64, 64)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def trial(names='abc', repeats=1, photo=noise, **params):
    """Cases of noise, one image a letter."""
    pictures = {name: photo(number) for number, name in enumerate(names)}
    return try_setting(pictures, (ShuffleParams(16, **params),), repeats)[0]


def report_of(runner):
    return build(runner.rows, runner.not_run, ABOUT)


def entry_of(runner, attack=0):
    return report_of(runner)['settings'][0]['attacks'][attack]


def turned_truth(plan):
    """Places and turns that undo a plan."""
    places, turns = np.empty(plan.grid.shape, int), np.empty(plan.grid.shape, int)
    places.ravel()[plan.permutation] = np.arange(plan.permutation.size)
    turns.ravel()[plan.permutation] = np.where(plan.orientation >= 4, plan.orientation, -plan.orientation % 4)
    return places, turns


# metrics


@pytest.mark.parametrize('patch', [16, (16, 32)])
def test_a_black_picture_is_whole_however_its_pieces_are_turned(patch):
    plan = ShuffleParams(patch, orient=True).plan((64, 64), np.random.default_rng(0))
    same = turned_classes(cut(np.zeros((64, 64, 3), np.uint8), plan.shape))
    places = np.arange(plan.permutation.size).reshape(plan.shape)
    where = plan.permutation, plan.orientation, plan.grid.shape, same
    found = Places.turned(places, np.zeros_like(places), *where)
    assert (found['neighbour'], found['perfect']) == (1, 1)


def test_a_turn_counts_if_it_shows_the_right_pixels():
    plain = noise(0)
    plain[:16, :16] = np.minimum(plain[:16, :16], plain[:16, :16][:, ::-1])  # the first patch is its own mirror
    plan = ShuffleParams(16, orient=True).plan(plain.shape, np.random.default_rng(3))
    encrypted = plan.apply(plain)
    places, turns = turned_truth(plan)
    same = turned_classes(cut(encrypted, plan.shape))
    where = plan.permutation, plan.orientation, plan.grid.shape, same
    assert Places.turned(places, turns, *where)['perfect'] == 1
    pieces = cut(encrypted, plan.shape)
    right = [code for code in range(8) if (turn(pieces[places[0, 0]][None], code)[0] == plain[:16, :16]).all()]
    assert len(right) == 2
    for code in range(8):
        turns[0, 0] = code
        assert Places.turned(places, turns, *where)['perfect'] == (code in right)


def test_pieces_that_are_equal_up_to_a_turn_stand_for_each_other():
    plain = noise(0)
    plain[:16, 16:32] = np.rot90(plain[:16, :16])
    plan = ShuffleParams(16, orient=True).plan(plain.shape, np.random.default_rng(0))
    places, turns = turned_truth(plan)
    encrypted = plan.apply(plain)
    same = turned_classes(cut(encrypted, plan.shape))
    swapped = places.copy()
    swapped[0, :2] = places[0, 1::-1]
    pieces, codes = cut(encrypted, plan.shape), turns.copy()
    for x in range(2):
        shown = [turn(pieces[swapped[0, x]][None], code)[0] for code in range(8)]
        codes[0, x] = next(c for c in range(8) if (shown[c] == plain[:16, 16 * x : 16 * x + 16]).all())
    where = plan.permutation, plan.orientation, plan.grid.shape
    assert Places.turned(swapped, codes, *where, same)['perfect'] == 1
    assert Places.turned(swapped, codes, *where)['perfect'] == 0
    assert Places.turned(swapped, (codes + 2) % 4, *where, same)['perfect'] == 0


def test_an_interval_is_over_images_and_not_over_runs():
    values, names = [0.0] * 20 + [1.0] * 20, ['a'] * 20 + ['b'] * 20
    found = summary(values, images=names)
    assert (found['mean'], found['count'], found['images']) == (0.5, 40, 2)
    assert (found['low'], found['high']) == (0, 1)
    alone = summary(values)
    assert (alone['images'], alone['low'] > 0.2) == (40, True)
    assert summary([None, 1.0], images=['a', 'b'])['images'] == 1
    assert summary([])['images'] == 0


def test_a_report_counts_images_beside_runs(tmp_path):
    runner = Runner(tmp_path)
    runner.run(trial('ab', repeats=3), ['identity'])
    found = entry_of(runner)['metrics']['neighbour']
    assert (found['count'], found['images']) == (6, 2)


@pytest.mark.parametrize('params', [dict(), dict(window=2), dict(drop_ratio=0.5), dict(orient=True)])
def test_chance_is_what_nothing_known_scores(params):
    """Each figure agrees with that of images as they are, of many plans."""
    params, scores = ShuffleParams(16, **params), []
    plan = params.plan((128, 128), np.random.default_rng(0))
    said = chance(params, plan)
    for seed in range(1000, 1200):
        other = params.plan((128, 128), np.random.default_rng(seed))
        places = np.arange(other.permutation.size).reshape(other.shape)
        if other.orientation is None:
            scores.append(Places.calculate(places, other.permutation, other.grid.shape))
        else:
            where = other.permutation, other.orientation, other.grid.shape
            scores.append(Places.turned(places, np.zeros_like(places), *where))
    for name, value in said.items():
        assert value == pytest.approx(np.mean([score[name] for score in scores]), abs=0.02)
    assert set(said) == {'direct', 'neighbour', 'surviving', 'component', 'perfect'}
    if params.window:
        assert said['neighbour'] > 5 / 64


def test_chance_knows_of_equal_pieces():
    params = ShuffleParams(16)
    plan = params.plan((64, 64), np.random.default_rng(0))
    assert chance(params, plan, classes(np.zeros((16, 1))))['neighbour'] == 1


def test_the_verdict_gives_the_chance_of_the_figure_it_shows(tmp_path):
    runner = Runner(tmp_path)
    runner.run(trial('a', window=2), ['identity', 'jigsaw'])
    for entry in report_of(runner)['settings'][0]['attacks']:
        luck = entry['floors']['chance']
        assert set(luck) >= {'direct', 'neighbour', 'surviving', 'component'}
        assert luck['surviving'] > 2 / 16
        assert f'(chance {luck["surviving"]:.1%})' in entry['verdict']


# the runner


def test_a_copy_of_the_victim_is_no_decoy(tmp_path):
    cases = trial('ab', photo=lambda number: noise(0))
    runner = Runner(tmp_path, [noise(0), noise(1)])
    runner.run(cases, ['linkage'])
    assert [row['metrics']['named'] for row in runner.rows] == [1, 1]
    assert [row['floors']['chance']['named'] for row in runner.rows] == [0.5, 0.5]
    alone = Runner(tmp_path / 'alone', [noise(0)])
    alone.run(cases, ['linkage'])
    assert not alone.rows
    assert all('needs other photos to tell it from' in row['reason'] for row in alone.not_run)


def test_a_result_is_taken_again_only_if_nothing_it_depends_on_changed(tmp_path):
    checkpoint, (case,) = tmp_path / 'weights', trial('a', orient=True)
    checkpoint.write_bytes(b'one')

    def key(of=case, given=None, name='linkage', options=None):
        return Runner(tmp_path, options=options)._key(name, of, given or Given())

    plan, keys = case.plan, [key()]
    keys.append(key(replace(case, plan=None)))
    keys.append(key(replace(case, plan=replace(plan, permutation=plan.permutation[::-1]))))
    keys.append(key(replace(case, plan=replace(plan, orientation=plan.orientation[::-1]))))
    keys += [key(given=Given(candidates=(noise(1),))), key(given=Given(candidates=(noise(2),)))]
    keys.append(key(given=Given(pairs=((noise(1), noise(2)),))))
    keys += [key(given=Given(views=((noise(1), (0, step)),))) for step in range(2)]
    named = {'learned-edge': {'checkpoint': str(checkpoint)}}
    keys.append(key(name='learned-edge', options=named))
    checkpoint.write_bytes(b'two')
    keys.append(key(name='learned-edge', options=named))
    assert len(set(keys)) == len(keys)
    public = Given(public=(noise(1),))
    assert key(given=public) == keys[0]  # none of ours learns from them as it attacks
    assert key(given=public, name='probe') != key(name='probe')
    assert key() == keys[0]


def test_a_setting_that_is_passed_twice_runs_once(tmp_path):
    runner = Runner(tmp_path)
    for _ in range(2):
        runner.run(trial(), ['probe'])
    assert Probe.calls == 3


def test_what_is_done_is_taken_even_out_of_budget(tmp_path):
    Runner(tmp_path).run(trial(), ['probe'])
    late = Runner(tmp_path, budget=-1)
    late.run([*trial('abcd')[3:], *trial()], ['probe'])
    assert [row['image'] for row in late.rows] == ['a', 'b', 'c']
    assert [(row['image'], row['reason']) for row in late.not_run] == [('d', 'out of budget')]


@pytest.mark.parametrize('where', ['_recover', '_given', '_refusal', '_key', 'say'])
def test_an_interrupt_anywhere_lists_the_rest(tmp_path, where):
    def interrupt(*args):
        vars(runner).pop(where, None) if where != 'say' else setattr(runner, 'say', print)
        Probe.act = None
        raise KeyboardInterrupt

    runner = Runner(tmp_path)
    if where == '_recover':
        Probe.act = interrupt
    else:
        setattr(runner, where, interrupt)
    runner.run(trial(), ['probe'])
    assert runner.interrupted
    assert len(runner.rows) == (where == 'say')
    assert [row['image'] for row in [*runner.rows, *runner.not_run]] == ['a', 'b', 'c']
    assert {row['reason'] for row in runner.not_run} == {'interrupted'}


def test_an_attack_that_cannot_read_its_file_does_not_end_the_run(tmp_path):
    def fail():
        raise OSError('the file is gone')

    Probe.act = fail
    runner = Runner(tmp_path)
    runner.run(trial('ab'), ['probe', 'identity'])
    assert [row['reason'] for row in runner.not_run] == ['the file is gone'] * 2
    assert [row['attack'] for row in runner.rows] == ['identity'] * 2


# words


def test_where_patches_were_dropped_no_picture_is_whole(tmp_path):
    runner, cases = Runner(tmp_path), trial(drop_ratio=0.75)
    runner.run(cases, ['probe'])
    for row, case in zip(runner.rows, cases):
        row['metrics'] = {'direct': 1, 'neighbour': 0.2, 'surviving': 1, 'component': 1, 'perfect': 1}
        assert row['missing'] == row['dropped'] == 1 - case.encrypted.size / case.plain.size
    said = entry_of(runner)['verdict']
    assert 'all kept pieces in place in 100% of the pictures; 75% of each picture is missing' in said
    assert 'The kept pieces were reassembled' in said
    assert 'whole' not in said
    assert 'pictures were reassembled' not in said


def test_without_a_kept_pair_no_share_of_them_is_given(tmp_path):
    runner = Runner(tmp_path)
    runner.run(trial(), ['probe'])
    for row in runner.rows:
        row['metrics'] = {'direct': 1, 'neighbour': 0, 'component': 0.5, 'perfect': 1}
    said = entry_of(runner)['verdict']
    assert 'No two neighbouring pieces were kept' in said
    assert '0% of' not in said


def test_right_neighbours_mean_one_thing(tmp_path):
    runner = Runner(tmp_path)
    runner.run(trial(drop_ratio=0.5), ['identity'])
    report = report_of(runner)
    assert '<td>right neighbours among the kept pieces</td>' in page(report, tmp_path)
    assert ' right neighbours among the kept pieces |' in summary_table(report)
    assert LABELS['surviving'] == 'right neighbours among the kept pieces'


def test_what_was_read_is_in_row_verdict_and_page(tmp_path):
    Probe.found = Recovery(confidence=0.7, extra={'labels': [(name, 0.2) for name in ('cat', 'dog', 'cow', 'fox')]})
    runner = Runner(tmp_path)
    runner.run(trial(), ['probe'])
    assert json.loads(json.dumps(runner.rows[0]))['labels'] == [['cat', 0.2], ['dog', 0.2], ['cow', 0.2]]
    report = report_of(runner)
    entry = report['settings'][0]['attacks'][0]
    assert entry['labels'] == {'cat': 3}
    assert 'read the label "cat"' in entry['verdict']
    assert 'below' not in entry['verdict']
    assert 'no truth' not in entry['verdict']
    assert 'read as: cat 20%, dog 20%, cow 20%' in page(report, tmp_path)


def test_the_bag_is_in_row_and_verdict(tmp_path):
    Probe.found = Recovery(image=noise(0), extra={'bag': np.float32(0.25)})
    runner = Runner(tmp_path)
    runner.run(trial(), ['probe'])
    assert runner.rows[0]['bag'] == 0.25
    assert entry_of(runner)['bag'] == 0.25
    assert '0.25 times as far from the true ones' in entry_of(runner)['verdict']


@pytest.mark.parametrize(
    'image, plain, say, not_say',
    [
        (True, False, 'gave back the pictures below. There is no truth to compare with', 'no picture'),
        (False, False, 'gave back no picture', 'below'),
        (False, True, 'nothing that could be compared with the plain images', 'no truth'),
    ],
)
def test_verdicts_without_figures(tmp_path, image, plain, say, not_say):
    Probe.found = Recovery(image=noise(0) if image else None)
    (case,) = trial('a')
    runner = Runner(tmp_path)
    runner.run([case if plain else Case('a', 0, Setting(case.setting.steps), case.encrypted)], ['probe'])
    said = entry_of(runner)['verdict']
    assert say in said
    assert not_say not in said


def test_a_name_that_is_no_utf8_does_not_stop_the_page(tmp_path):
    write_text(tmp_path / 'a.html', 'caf\udce9')
    assert (tmp_path / 'a.html').read_text() == 'caf\\udce9'
