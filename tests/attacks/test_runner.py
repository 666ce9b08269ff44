"""What attackers are given, which results are taken again, and what a budget or an interrupt leaves."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks import Attack, Recovery
from hii_mm.attacks.attackers import attack_class
from hii_mm.attacks.base import NEEDS
from hii_mm.attacks.evaluation.cases import try_scheme
from hii_mm.attacks.evaluation.given import PROVIDERS, Scene, given_to, lacking
from hii_mm.attacks.evaluation.runner import Runner


@pytest.fixture
def probe(registered):
    """An attack that does what a test wants, and counts how often."""

    class Probe(Attack):
        name, source, cost = 'probe', 'a test', 'nothing'
        calls: ClassVar[int] = 0
        act = found = None

        def refuses(self, scheme):
            if Probe.act == 'refuses':
                Probe.act = None
                raise KeyboardInterrupt

        def _recover(self, image, scheme, given):
            Probe.calls += 1
            if Probe.act:
                Probe.act()
            return Probe.found or Recovery()

    return registered(Probe)


def noise(seed, shape=(64, 64)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def trial(names='abc', repeats=1, photo=noise, **params):
    """Cases of noise, one image for each letter."""
    return try_scheme({name: photo(number) for number, name in enumerate(names)}, Scheme(16, **params), repeats)[0]


def stop():
    raise KeyboardInterrupt


# given


def test_every_need_has_a_provider():
    assert tuple(PROVIDERS) == NEEDS


def test_an_attack_is_given_what_it_needs_and_no_more():
    cases = trial('ab')
    scene = Scene(cases[0], cases, [noise(9)], 0)
    given = given_to(attack_class('linkage'), scene)
    assert len(given.candidates) == 3
    assert (given.public, given.pairs, given.views) == ((), (), ())
    assert given.plain_shape == (64, 64)
    assert given_to(attack_class('jigsaw'), scene).candidates == ()


def test_a_pair_is_another_image_under_the_same_plan():
    cases = trial('abc')
    given = given_to(attack_class('known-plaintext'), Scene(cases[1], cases, [], 0))
    ((plain, encrypted),) = given.pairs
    np.testing.assert_array_equal(plain, cases[0].plain)
    np.testing.assert_array_equal(encrypted, cases[1].plan.apply(plain))


@pytest.mark.parametrize(
    'params, shifts',
    [
        (dict(gap=2), [(0, 0), (8, 8)]),
        (dict(drop_ratio=0.25), [(0, 0)] * 12),
        (dict(strategy='mixup'), [(0, 0), (3, 5), (9, 2), (6, 11)]),
    ],
)
def test_views_are_shifted_encryptions_of_the_image(params, shifts):
    (case,) = trial('a', **params)
    views = given_to(attack_class('multi-view'), Scene(case, [case], [], 0)).views
    assert [shift for _, shift in views] == shifts
    assert views[0][0] is case.encrypted
    assert {view.shape for view, _ in views} == {case.encrypted.shape}


@pytest.mark.parametrize(
    'name, truth, says',
    [
        ('linkage', True, 'needs other photos to choose from'),
        ('linkage', False, 'only an owner has'),
        ('known-plaintext', True, 'needs another plain image of the same size'),
        ('known-plaintext', False, 'only an owner has'),
        ('multi-view', False, 'only an owner has'),
    ],
)
def test_what_is_lacking_is_said_in_words(name, truth, says):
    (case,) = trial('a')
    case = case if truth else replace(case, plain=None, plan=None)
    cls = attack_class(name)
    assert says in lacking(cls, given_to(cls, Scene(case, [case], [], 0)), case)


def test_public_photos_are_candidates_without_the_truth():
    (case,) = trial('a')
    scene = Scene(replace(case, plain=None, plan=None), [case], [noise(1), noise(2)], 0)
    assert len(given_to(attack_class('linkage'), scene).candidates) == 2


def test_a_copy_of_the_victim_is_no_decoy(tmp_path):
    cases = trial('ab', photo=lambda number: noise(0))
    runner = Runner(tmp_path, [noise(0), noise(1)])
    runner.run(cases, ['linkage'])
    assert [row['metrics']['named'] for row in runner.rows] == [1, 1]
    assert [row['floors']['chance']['named'] for row in runner.rows] == [0.5, 0.5]
    alone = Runner(tmp_path / 'alone', [noise(0)])
    alone.run(cases, ['linkage'])
    assert not alone.rows
    assert all('needs other photos' in row['reason'] for row in alone.not_run)


# results that are taken again


def ran(folder, cases, name, probe, **arguments):
    """Whether the attack ran, or its results were taken from an earlier run."""
    before = probe.calls
    Runner(folder, **arguments).run(cases, [name])
    return probe.calls > before


def test_a_result_is_taken_again_only_if_nothing_that_it_depends_on_changed(tmp_path, probe):
    (case,) = trial('a', orient=True)
    shuffle = case.plan.shuffle
    other_plan = replace(case.plan, shuffle=replace(shuffle, permutation=shuffle.permutation[::-1]))
    turned_plan = replace(case.plan, shuffle=replace(shuffle, orientation=shuffle.orientation[::-1]))
    cases = [
        case,
        replace(case, plan=None),
        replace(case, plan=other_plan),
        replace(case, plan=turned_plan),
        replace(case, repeat=1),
        replace(case, name='b'),
        replace(case, plain=None),
        replace(case, plain_shape=None),
        replace(case, scheme=Scheme(16, orient=True, remainder='crop')),
        replace(case, encrypted=case.encrypted[:, ::-1].copy()),
    ]
    for each in cases:
        assert ran(tmp_path, [each], 'probe', probe)
    assert ran(tmp_path, [case], 'probe', probe, seed=1)
    for each in cases:
        assert not ran(tmp_path, [each], 'probe', probe)


@pytest.mark.parametrize('need, changed', [('public', True), ('candidates', True), ('pairs', False), ('views', False)])
def test_a_result_depends_on_the_public_photos_only_if_the_attack_is_given_them(tmp_path, probe, need, changed):
    probe.needs = (need,)
    cases = trial('ab')
    assert ran(tmp_path, cases, 'probe', probe, public=[noise(8)])
    assert not ran(tmp_path, cases, 'probe', probe, public=[noise(8)])
    assert ran(tmp_path, cases, 'probe', probe, public=[noise(9)]) == changed


def test_a_result_depends_on_the_content_of_the_checkpoint(tmp_path, probe):
    probe.__init__ = lambda self, checkpoint=None: None
    file, cases = tmp_path / 'weights', trial('a')
    options = {'probe': {'checkpoint': str(file)}}
    file.write_bytes(b'one')
    assert ran(tmp_path, cases, 'probe', probe, options=options)
    assert not ran(tmp_path, cases, 'probe', probe, options=options)
    file.write_bytes(b'two')
    assert ran(tmp_path, cases, 'probe', probe, options=options)


def test_a_result_whose_picture_is_gone_is_not_taken_again(tmp_path, probe):
    cases = trial('a')
    assert ran(tmp_path, cases, 'probe', probe)
    next((tmp_path / 'images').glob('plain-*')).unlink()
    assert ran(tmp_path, cases, 'probe', probe)
    assert not ran(tmp_path, cases, 'probe', probe)


def test_a_line_that_was_cut_off_is_left_out(tmp_path, probe):
    cases = trial('ab')
    assert ran(tmp_path, cases, 'probe', probe)
    file = tmp_path / 'results.jsonl'
    file.write_text(file.read_text()[:-20])
    calls = probe.calls
    Runner(tmp_path).run(cases, ['probe'])
    assert probe.calls == calls + 1


def test_a_scheme_that_is_passed_twice_runs_once(tmp_path, probe):
    runner = Runner(tmp_path)
    for _ in range(2):
        runner.run(trial(), ['probe'])
    assert probe.calls == 3


# budget, interrupts, errors


def test_what_is_done_is_taken_even_out_of_budget(tmp_path, probe):
    Runner(tmp_path).run(trial(), ['probe'])
    late = Runner(tmp_path, budget=-1)
    late.run([*trial('abcd')[3:], *trial()], ['probe'])
    assert [row['image'] for row in late.rows] == ['a', 'b', 'c']
    assert [(row['image'], row['reason']) for row in late.not_run] == [('d', 'out of budget')]


@pytest.mark.parametrize('where', ['recover', 'refuses', 'progress'])
def test_an_interrupt_anywhere_lists_the_rest(tmp_path, probe, where):
    def progress(done, total, note=''):
        if where == 'progress' and done == 1:
            raise KeyboardInterrupt

    def once():
        probe.act = None
        raise KeyboardInterrupt

    probe.act = {'recover': once, 'refuses': 'refuses', 'progress': None}[where]
    runner = Runner(tmp_path, progress=progress)
    runner.run(trial(), ['probe'])
    assert runner.interrupted
    assert len(runner.rows) == (where == 'progress')
    assert [row['image'] for row in [*runner.rows, *runner.not_run]] == ['a', 'b', 'c']
    assert {row['reason'] for row in runner.not_run} == {'interrupted'}


def test_progress_counts_what_ran_and_what_did_not(tmp_path, probe):
    seen = []
    runner = Runner(tmp_path, progress=lambda done, total, note='': seen.append((done, total, note)))
    runner.run(trial('ab'), ['probe', 'mixup-inverse'])
    assert [each[:2] for each in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert seen[0][2] == 'RS p 16, gap 0: probe on a'


@pytest.mark.parametrize(
    'error, reason', [(OSError('the file is gone'), 'the file is gone'), (ImportError(), 'ImportError')]
)
def test_an_attack_that_fails_does_not_end_the_run(tmp_path, probe, error, reason):
    def fail():
        raise error

    probe.act = fail
    runner = Runner(tmp_path)
    runner.run(trial('ab'), ['probe', 'identity'])
    assert [row['reason'] for row in runner.not_run] == [reason] * 2
    assert [row['attack'] for row in runner.rows] == ['identity'] * 2


@pytest.mark.parametrize('facts', [{'a': float('nan')}, {'a': {1, 2}}])
def test_facts_that_json_cannot_hold_are_refused(tmp_path, probe, facts):
    probe.found = Recovery(facts=facts)
    runner = Runner(tmp_path)
    runner.run(trial('a'), ['probe'])
    assert not runner.rows
    assert 'probe returned facts that JSON cannot hold' in runner.not_run[0]['reason']
    assert not (tmp_path / 'results.jsonl').exists()


# rows


def test_a_row_has_facts_losses_and_pictures(tmp_path, probe):
    probe.found = Recovery(image=noise(5), facts={'found': [1, 'a']}, confidence=0.5)
    (case,) = trial('a', drop_ratio=0.75)
    runner = Runner(tmp_path)
    runner.run([case], ['probe'])
    (row,) = runner.rows
    assert row['facts'] == {'found': [1, 'a']}
    assert row['missing'] == row['dropped'] == 1 - case.encrypted.size / case.plain.size
    assert set(row['pictures']) == {'plain', 'encrypted', 'recovered', 'true places'}
    assert row['ceilings']['psnr'] > row['metrics']['psnr']
    assert (row['parameters']['patch'], row['parameters']['drop']) == (16, 0.75)
    assert row['search'] is None
    assert all((tmp_path / name).is_file() for name in row['pictures'].values())
    assert set(row['metrics']) == {'psnr', 'ssim'}
    assert set(row['floors']) == {'encrypted', 'mean colour', 'mosaic'}


@pytest.mark.parametrize('params', [dict(), dict(orient=True), dict(strategy='mixup')])
def test_the_encrypted_picture_is_no_recovered_one(tmp_path, params):
    runner = Runner(tmp_path)
    runner.run(trial('a', **params), ['identity'])
    pictures = runner.rows[0]['pictures']
    assert pictures['recovered'] == pictures['encrypted']


def test_ranks_of_neighbours_are_measured_from_the_scores(tmp_path, probe):
    (case,) = trial('a')
    order = np.argsort(case.plan.shuffle.permutation)  # of the piece at each plain place
    right, down = np.zeros((2, 16, 16), np.float32)
    grid = order.reshape(4, 4)
    right[grid[:, :-1].ravel(), grid[:, 1:].ravel()] = 1
    down[grid[:-1].ravel(), grid[1:].ravel()] = 1
    probe.found = Recovery(places=grid, scores=(right, down))
    runner = Runner(tmp_path)
    runner.run([case], ['probe'])
    assert runner.rows[0]['metrics']['top1'] == 1
    assert runner.rows[0]['metrics']['perfect'] == 1


# worker processes


def test_worker_processes_change_no_row(tmp_path):
    """Rows, their order and what did not run are those of one process; seconds aside."""
    found = []
    for jobs in (1, 2):
        runner = Runner(tmp_path / str(jobs), gallery={'x': noise(8), 'y': noise(9)}, jobs=jobs)
        runner.run(trial('abc'), ['identity', 'linkage', 'mixup-inverse'])
        found.append(([{**row, 'seconds': 0} for row in runner.rows], runner.not_run))
    assert found[0] == found[1]
    assert len(found[0][0]) == 6
    assert len(found[0][1]) == 3


def test_workers_take_what_is_on_disk_and_mind_the_budget(tmp_path):
    Runner(tmp_path).run(trial('a'), ['identity'])
    runner = Runner(tmp_path, budget=0, jobs=2)
    runner.run(trial('ab'), ['identity'])
    assert [row['image'] for row in runner.rows] == ['a']
    assert [(row['image'], row['reason']) for row in runner.not_run] == [('b', 'out of budget')]


def test_an_interrupt_with_workers_lists_the_rest(tmp_path):
    def interrupt(done, total, note=''):
        if done == 2:
            raise KeyboardInterrupt

    runner = Runner(tmp_path, jobs=2, progress=interrupt)
    runner.run(trial('abcd'), ['identity', 'linkage'])
    assert runner.interrupted
    assert len(runner.rows) + len(runner.not_run) == 8
    assert {row['reason'] for row in runner.not_run} == {'interrupted'}
    assert len(runner.rows) >= 2


def test_an_attack_that_no_other_process_can_import_runs_in_this_one(tmp_path, probe):
    runner = Runner(tmp_path, jobs=2)
    runner.run(trial('ab'), ['probe'])
    assert (len(runner.rows), probe.calls) == (2, 2)
