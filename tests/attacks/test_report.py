"""Verdicts, table, page and files of a report."""

import html
import json
import re
import shutil
import subprocess
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from hii_mm import Scheme
from hii_mm.attacks import Attack, Recovery
from hii_mm.attacks.evaluation import judges
from hii_mm.attacks.evaluation.cases import Case, try_scheme
from hii_mm.attacks.evaluation.runner import Runner
from hii_mm.attacks.report import plots
from hii_mm.attacks.report.build import build
from hii_mm.attacks.report.report import Report

ABOUT = {'created': 'today', 'command': 'a test', 'mode': '', 'interrupted': False, 'skipped_files': []}


@pytest.fixture
def probe(registered):
    """An attack that returns what a test wants."""

    class Probe(Attack):
        name, source, cost = 'probe', 'a test', 'nothing'
        found: ClassVar[Recovery] = Recovery()

        def _recover(self, image, scheme, given):
            return Probe.found

    return registered(Probe)


def noise(seed, shape=(64, 64)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def trial(names='abc', repeats=1, **params):
    return try_scheme({name: noise(number) for number, name in enumerate(names)}, Scheme(16, **params), repeats)[0]


def run(folder, cases, *attacks):
    runner = Runner(folder)
    runner.run(cases, attacks)
    return runner


def report_of(runner, folder, **about):
    return Report(build(runner.rows, runner.not_run, ABOUT | about), folder)


def entry_of(runner, attack=0):
    return build(runner.rows, runner.not_run, ABOUT)['settings'][0]['attacks'][attack]


# figures


def test_a_report_counts_images_beside_runs(tmp_path):
    found = entry_of(run(tmp_path, trial('ab', repeats=3), 'identity'))['metrics']['neighbour']
    assert (found['count'], found['images']) == (6, 2)


def test_the_verdict_gives_the_chance_of_the_figure_it_shows(tmp_path):
    runner = run(tmp_path, trial('a', window=2), 'identity', 'jigsaw')
    for entry in build(runner.rows, runner.not_run, ABOUT)['settings'][0]['attacks']:
        luck = entry['floors']['chance']
        assert set(luck) >= {'direct', 'neighbour', 'surviving', 'component'}
        assert luck['surviving'] > 2 / 16
        assert f'(chance {luck["surviving"]:.1%})' in entry['verdict']


def test_the_main_metric_of_an_attack_ranks_its_images(tmp_path, probe):
    probe.main = 'ssim'
    runner = run(tmp_path, trial(), 'probe')
    for row, psnr, ssim in zip(runner.rows, (30, 20, 10), (0.1, 0.3, 0.2)):
        row['metrics'] = {'psnr': psnr, 'ssim': ssim}
    entry = entry_of(runner)
    assert entry['main'] == 'ssim'
    assert [entry['examples'][kind] for kind in ('best', 'median', 'worst')] == [
        runner.rows[0]['key'],
        runner.rows[2]['key'],
        runner.rows[1]['key'],
    ]
    probe.main = None
    assert entry_of(runner)['main'] == 'psnr'


# words


def test_where_patches_were_dropped_no_picture_is_whole(tmp_path, probe):
    runner = run(tmp_path, trial(drop_ratio=0.75), 'probe')
    for row in runner.rows:
        row['metrics'] = {'direct': 1, 'neighbour': 0.2, 'surviving': 1, 'component': 1, 'perfect': 1}
    said = entry_of(runner)['verdict']
    assert 'all kept pieces in place in 100% of the pictures; 75% of each picture is missing' in said
    assert 'The kept pieces were reassembled' in said
    assert 'whole' not in said
    assert 'pictures were reassembled' not in said


def test_without_a_kept_pair_no_share_of_them_is_given(tmp_path, probe):
    runner = run(tmp_path, trial(), 'probe')
    for row in runner.rows:
        row['metrics'] = {'direct': 1, 'neighbour': 0, 'component': 0.5, 'perfect': 1}
    said = entry_of(runner)['verdict']
    assert 'No two neighbouring pieces were kept' in said
    assert '0% of' not in said


@pytest.mark.parametrize(
    'image, plain, say, not_say',
    [
        (True, False, 'returned the pictures below. There are no plain images to compare them with', 'no picture'),
        (False, False, 'returned no picture', 'below'),
        (False, True, 'nothing that can be compared with the plain images', 'There are no plain images'),
    ],
)
def test_verdicts_without_figures(tmp_path, probe, image, plain, say, not_say):
    probe.found = Recovery(image=noise(9) if image else None, confidence=0.7)
    (case,) = trial('a')
    said = entry_of(run(tmp_path, [case if plain else Case('a', 0, case.scheme, case.encrypted)], 'probe'))['verdict']
    assert say in said
    assert not_say not in said
    assert "The attack's own confidence is 70%." in said


def test_an_attack_is_described_in_its_own_words(tmp_path, probe):
    probe.words = classmethod(
        lambda cls, figures: f'It found {figures.facts["most"]}, PSNR {figures.means["psnr"]:.0f}.'
    )
    probe.summarise = classmethod(lambda cls, facts: {'most': max(fact['number'] for fact in facts)})
    probe.found = Recovery(image=np.zeros((64, 64, 3), np.uint8), facts={'number': 7})
    entry = entry_of(run(tmp_path, trial(), 'probe'))
    assert entry['facts'] == {'most': 7}
    assert re.fullmatch(r'probe: It found 7, PSNR \d\. Cost: .* s an image\.', entry['verdict'])


def test_the_gain_over_another_attack_is_in_its_unit(tmp_path, probe):
    probe.beside = 'identity'
    runner = run(tmp_path, trial('a'), 'identity', 'probe')
    runner.rows[1]['metrics'] = {**runner.rows[0]['metrics'], 'neighbour': runner.rows[0]['metrics']['neighbour'] + 0.5}
    assert entry_of(runner, 1)['verdict'].endswith(' Against identity: +50.0 points of right neighbours.')
    for row, psnr in zip(runner.rows, (20.0, 21.5)):
        row['metrics'] = {'psnr': psnr, 'ssim': 0.5}
    assert entry_of(runner, 1)['verdict'].endswith(' Against identity: +1.50 dB.')


def test_right_neighbours_mean_one_thing(tmp_path):
    report = report_of(run(tmp_path, trial(drop_ratio=0.5), 'identity'), tmp_path)
    assert '<td>right neighbours among the kept pieces</td>' in report.to_html()
    assert ' right neighbours among the kept pieces |' in report.table()


# the page


def test_a_learning_curve_is_drawn_where_an_attack_has_one(tmp_path, probe):
    def drawn(curve):
        data = json.loads(report_of(run(tmp_path / 'run', trial('a'), 'identity'), tmp_path / 'run').to_json())
        data['settings'][0]['attacks'][0]['facts'] = {'curve': curve} if curve else {}
        return plots.plots(data)

    assert 'identity-learning.png' not in drawn(None)
    title, png = drawn([[20, 0.1], [400, 0.3]])['identity-learning.png']
    assert title == 'identity: learning curve'
    assert png.startswith(b'\x89PNG')
    assert png != drawn([[20, 0.3], [400, 0.1]])['identity-learning.png'][1]


def test_labels_that_were_read_are_shown_with_the_picture(tmp_path, probe):
    probe.found = Recovery(facts={'labels': [['cat', 0.2], ['dog', 0.1]]})
    page = report_of(run(tmp_path, trial('a'), 'probe'), tmp_path).to_html()
    assert 'encrypted, a; read as: cat 20%, dog 10%' in page
    probe.found = Recovery(facts={'labels': 5})
    assert 'read as' not in report_of(run(tmp_path / 'other', trial('a'), 'probe'), tmp_path / 'other').to_html()


def test_the_page_shows_no_encrypted_picture_as_recovered(tmp_path, probe):
    page = report_of(run(tmp_path, trial('ab'), 'identity'), tmp_path).to_html()
    assert '<figure>' not in page
    probe.found = Recovery(image=noise(7))
    page = report_of(run(tmp_path, trial('ab'), 'identity', 'probe'), tmp_path).to_html()
    assert page.count('<figure>') == 8  # two images, four pictures each: the worst is the median too


def test_everything_in_the_page_is_escaped(tmp_path, probe):
    evil = '<script>alert(1)</script>"\''
    probe.source = probe.cost = evil
    probe.found = Recovery(image=noise(7))
    (case,) = trial('a')
    runner = run(tmp_path, [Case(evil, 0, case.scheme, case.encrypted, case.plain, case.plan)], 'probe')
    runner.skip('probe', case.scheme.label, evil, 0, evil)
    page = report_of(runner, tmp_path, skipped_files=[evil], command=evil, mode=evil).to_html()
    assert '<script' not in page
    assert page.count(html.escape(evil, quote=False).split('"')[0]) >= 6


def test_the_page_says_what_did_not_run(tmp_path, probe):
    runner = run(tmp_path, trial(), 'identity', 'mixup-inverse')
    page = report_of(runner, tmp_path, interrupted=True, skipped_files=['b.jpg: damaged']).to_html()
    assert 'This run was interrupted.' in page
    assert 'RS p 16, gap 0: mixup-inverse, 3 times: nothing was mixed' in page
    assert 'left out: b.jpg: damaged' in page
    page = report_of(run(tmp_path, trial(), 'identity'), tmp_path).to_html()
    assert 'Everything that was asked for ran.' in page


def test_the_page_names_recognisers_that_did_not_judge(tmp_path, monkeypatch):
    monkeypatch.setattr(judges, '_installed', lambda package: False)
    page = report_of(run(tmp_path, trial('a'), 'identity'), tmp_path).to_html()
    assert re.search(r'Recognisers that did not judge: .*people \(.* not installed', page)


# files


def test_the_figures_are_written_before_the_plots(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, '_png', lambda figure: 1 / 0)
    report = report_of(run(tmp_path, trial('a'), 'identity'), tmp_path)
    with pytest.raises(ZeroDivisionError):
        report.write(tmp_path / 'out')
    assert json.loads((tmp_path / 'out' / 'report.json').read_text())['results']


def test_a_report_can_be_written_anywhere(tmp_path, probe):
    probe.found = Recovery(image=noise(7))
    report = report_of(run(tmp_path / 'run', trial('a'), 'probe'), tmp_path / 'run')
    shutil.rmtree(tmp_path / 'run')
    assert report.write(tmp_path / 'out') == tmp_path / 'out' / 'report.html'
    assert (tmp_path / 'out' / 'report.html').read_text() == report.to_html()
    assert json.loads((tmp_path / 'out' / 'report.json').read_text()) == json.loads(report.to_json())
    assert len(list((tmp_path / 'out' / 'images').iterdir())) == 4
    assert Image.open(tmp_path / 'out' / 'recovered.png').size[0] > 500


def test_a_name_that_is_not_utf8_does_not_stop_the_page(tmp_path):
    report = report_of(run(tmp_path, trial('a'), 'identity'), tmp_path, skipped_files=['caf\udce9'])
    report.write(tmp_path / 'out')
    assert 'caf\\udce9' in (tmp_path / 'out' / 'report.html').read_text()


CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
OWN_HOSTS = ('googleapis.com', 'google.com', 'gvt1.com')  # what Chromium asks for by itself


def open_page(page, folder):
    """Return the URLs asked for on the network, the lines of the console, and a screenshot."""
    log, shot = folder / 'net.json', folder / 'shot.png'
    flags = '--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-sync'
    flags += ' --enable-logging=stderr --window-size=1200,2000 --virtual-time-budget=2000'
    places = [f'--user-data-dir={folder / "user"}', f'--log-net-log={log}', f'--screenshot={shot}']
    command = [CHROMIUM, *flags.split(), *places, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    events = json.loads(log.read_text())['events']
    urls = {event['params'].get('url') for event in events if isinstance(event.get('params'), dict)}
    asked = [url for url in filter(None, urls) if url.startswith(('http', 'ws'))]
    asked = [url for url in asked if not url.split('/')[2].endswith(OWN_HOSTS)]
    return asked, [line for line in done.stderr.splitlines() if 'CONSOLE' in line], Image.open(shot)


@pytest.mark.skipif(CHROMIUM is None, reason='Chromium is not installed')
def test_the_page_opens_in_chromium_without_network_and_errors(photos, tmp_path):
    cases, _ = try_scheme(photos, Scheme(16), 1)
    page = report_of(run(tmp_path, cases, 'identity', 'jigsaw'), tmp_path).write(tmp_path / 'out')
    asked, console, shot = open_page(page, tmp_path)
    assert (asked, console) == ([], [])
    assert len(shot.convert('L').resize((300, 500)).getcolors(256)) > 100  # photographs are drawn
