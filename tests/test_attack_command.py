"""``hii-mm attack`` as a person uses and misuses it."""

import functools
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from hii_mm.attacks import sweep
from hii_mm.attacks.judges import available, faces, find, judge, label, words
from hii_mm.attacks.photos import sample_photos
from hii_mm.cli import main
from hii_mm.encryption import MixupParams, ShuffleParams


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three photos and one file that is none."""
    root = tmp_path_factory.mktemp('photos')
    for name, photo in sample_photos(96, ['astronaut.png', 'coffee.png', 'rocket.jpg']).items():
        Image.fromarray(photo).save(root / f'{name}.png')
    (root / 'broken.jpg').write_bytes(b'no picture')
    return root


def attack(*words, code=0):
    assert main(['attack', *map(str, words)]) == code


def read(out):
    """The report, with NaN refused."""
    text = (out / 'report.json').read_text()
    return json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} in report.json'))


def figures(report, setting=0):
    return {entry['name']: entry for entry in report['settings'][setting]['attacks']}


def test_a_setting_is_tried_on_plain_photos(folder, tmp_path, capsys):
    attack(folder, '--strategy', 'shuffle', '--size', 96, '--repeats', 2, '--out', tmp_path)
    report = read(tmp_path)
    found = figures(report)
    assert (report['format'], report['version'], report['interrupted']) == ('hii-mm attack report', 1, False)
    assert found['jigsaw']['metrics']['surviving']['mean'] > 0.9
    assert found['identity']['metrics']['surviving']['mean'] < 0.2
    assert found['linkage']['metrics']['named'] == pytest.approx(
        {'mean': 1, 'worst_decile': 1, 'low': 1, 'high': 1, 'count': 6, 'images': 3}
    )
    assert found['known-plaintext']['metrics']['surviving']['mean'] > 0.9
    assert found['mixup-inverse']['status'] == 'not run'
    assert len(report['results']) == 4 * 3 * 2
    assert any('broken.jpg' in line for line in report['skipped_files'])
    page = (tmp_path / 'report.html').read_text()
    said = capsys.readouterr()
    for text in (page, said.out):
        assert 'The pictures were reassembled' in text
        assert 'secure' not in text.lower()
        assert 'anonym' not in text.lower()
    assert 'broken.jpg' in said.err
    assert Image.open(tmp_path / 'recovered.png').size[0] > 500


def test_the_page_holds_everything(folder, tmp_path):
    attack(folder, '--strategy', 'both', '--size', 96, '--repeats', 1, '--images', 2, '--out', tmp_path)
    page = (tmp_path / 'report.html').read_text()
    assert '<script' not in page
    assert not [part for part in page.split('src="')[1:] if not part.startswith('data:image/png;base64,')]
    assert 'http' not in page.replace('http-equiv', '')
    assert page.count('<figure>') >= 6


def test_a_run_goes_on_where_it_stopped(folder, tmp_path):
    words = [folder, '--strategy', 'mixup', '--size', 96, '--attacks', 'identity,mixup-inverse', '--out', tmp_path]
    attack(*words, '--budget', 0)
    report = read(tmp_path)
    assert (report['results'], report['not_run'][0]['reason']) == ([], 'out of budget')
    assert 'was not run: out of budget' in figures(report)['identity']['verdict']
    attack(*words, '--images', 1)
    first = read(tmp_path)['results']
    with open(tmp_path / 'results.jsonl', 'a') as file:
        file.write('{"key": "cut o')
    attack(*words)
    report = read(tmp_path)
    assert report['results'][: len(first)] == first  # times too: these were not run again
    assert len(report['results']) == 6
    assert not report['not_run']


def test_without_truth_the_pictures_are_shown(folder, tmp_path):
    plan = ShuffleParams(16).plan((96, 96), np.random.default_rng(0))
    Image.fromarray(plan.apply(np.asarray(Image.open(folder / 'coffee.png')))).save(tmp_path / 'hidden.png')
    out = tmp_path / 'out'
    attack(tmp_path / 'hidden.png', '--encrypted', '--strategy', 'shuffle', '--out', out)
    report = read(out)
    assert figures(report)['jigsaw']['metrics'] == {}
    assert 'no truth to compare with' in figures(report)['jigsaw']['verdict']
    assert 'only an owner has' in figures(report)['linkage']['verdict']
    named = [row['pictures'] for row in report['results'] if row['attack'] == 'jigsaw']
    np.testing.assert_array_equal(Image.open(out / named[0]['recovered']), Image.open(folder / 'coffee.png'))
    attack(tmp_path / 'hidden.png', '--encrypted', '--strategy', 'shuffle', '--public', folder, '--out', out)
    assert figures(read(out))['linkage']['status'] == 'run'


def test_the_setting_comes_from_a_config(folder, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        "pipeline = [dict(type='LoadImageFromFile'), dict(type='hii_mm.PatchShuffle', patch_size=12, gap=1)]\n"
        "train_dataloader = dict(dataset=dict(type='RepeatDataset', dataset=dict(pipeline=pipeline)))\n"
    )
    attack(folder, '--config', config, '--size', 96, '--attacks', 'identity', '--images', 1, '--out', tmp_path / 'out')
    assert read(tmp_path / 'out')['settings'][0]['name'] == 'RS p 12, gap 1'


def test_a_sweep_draws_curves(folder, tmp_path):
    words = '--strategy shuffle --size 96 --images 2 --attacks jigsaw --sweep gap=0:2:2,drop=0:0.5:0.5,orient,mixup'
    attack(folder, *words.split(), '--out', tmp_path)
    report = read(tmp_path)
    curves = {curve['parameter']: curve['points'] for curve in report['sweep']}
    assert {name: [point['value'] for point in points] for name, points in curves.items()} == {
        'gap': [0, 2],
        'drop': [0, 0.5],
        'orient': ['off', 'on'],
        'mixup': ['off', 'on'],
    }
    assert curves['gap'][0]['metrics']['surviving'] > curves['gap'][1]['metrics']['surviving']
    assert all((tmp_path / f'jigsaw-{name}.png').is_file() for name in curves)


def test_sweeps_vary_one_thing_at_a_time():
    start = (ShuffleParams(16, gap=1),)
    found = sweep.parse('drop=0:0.75, patch=8:16:4', start)
    assert [steps[0].drop_ratio for _, steps in found['drop']] == [0, 0.25, 0.5, 0.75]
    assert [(value, steps[0].patch_size, steps[0].gap) for value, steps in found['patch']] == [
        (8, (8, 8), 1),
        (12, (12, 12), 1),
        (16, (16, 16), 1),
    ]
    assert sweep.parse('mixup', start)['mixup'][1][1] == (MixupParams(16, 2), ShuffleParams(8, gap=1))


@pytest.mark.parametrize(
    'text',
    ['gap', 'gap=', 'gap=a:b', 'gap=2:1', 'gap=0:4:0', 'gap=0:99', 'drop=0:0.5:0.1:2', 'zoom=1:2', 'orient=1', ','],
)
def test_sweeps_that_are_not_accepted(text):
    with pytest.raises(ValueError, match='--sweep'):
        sweep.parse(text, (ShuffleParams(16),))


@pytest.mark.parametrize(
    'shape, flags',
    [((31, 40), []), ((16, 16), []), ((20, 10), ['--gap', '2'])],
)
def test_images_of_less_than_two_by_two_patches(tmp_path, capsys, shape, flags):
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / 'a.png')
    words = [tmp_path / 'a.png', '--strategy', 'shuffle', '--size', 0, '--out', tmp_path / 'out', *flags]
    if shape[0] < 32 and shape[1] < 32:
        attack(*words, code=1)
        assert 'no image could be attacked' in capsys.readouterr().err
    else:
        attack(*words)
        read(tmp_path / 'out')


@pytest.mark.parametrize('strategy', ['shuffle', 'mixup', 'both'])
def test_constant_images_and_mixed_sizes_leave_no_nan(tmp_path, strategy):
    for number, shape in enumerate([(64, 64), (48, 96), (80, 33)]):
        Image.fromarray(np.full((*shape, 3), 90 * number, np.uint8)).save(tmp_path / f'{number}.png')
    attack(tmp_path, '--strategy', strategy, '--size', 0, '--repeats', 1, '--out', tmp_path / 'out')
    report = read(tmp_path / 'out')
    assert {row['image'] for row in report['results']} == {'0', '1', '2'}


@pytest.mark.parametrize(
    'words, message',
    [
        (['PHOTOS'], 'encrypted with unknown parameters. Say which'),
        (['none', '--strategy', 'shuffle'], 'none is not there'),
        (['EMPTY', '--strategy', 'shuffle'], 'no pictures in'),
        (['PHOTOS', '--strategy', 'shuffle', '--gap', '8'], 'gap 8 leaves nothing'),
        (['PHOTOS', '--strategy', 'shuffle', '--attacks', 'magic'], "got 'magic'"),
        (['PHOTOS', '--strategy', 'shuffle', '--attacks', ','], '--attacks names none'),
        (['PHOTOS', '--strategy', 'shuffle', '--against', 'x'], '--against and --key go with'),
        (['PHOTOS', '--strategy', 'shuffle', '--sweep', 'zoom'], "got 'zoom'"),
        (['PHOTOS', '--strategy', 'mixup', '--sweep', 'gap=0:1'], 'a sweep varies a shuffle'),
        (['PHOTOS', '--strategy', 'shuffle', '--encrypted', '--sweep', 'gap=0:1'], '--sweep needs plain photos'),
        (['PHOTOS', '--strategy', 'shuffle', '--public', 'EMPTY'], 'no pictures in'),
    ],
)
def test_what_is_not_accepted(folder, tmp_path, capsys, words, message):
    (tmp_path / 'empty').mkdir()
    places = {'PHOTOS': folder, 'EMPTY': tmp_path / 'empty'}
    attack(*[places.get(word, word) for word in words], '--out', tmp_path / 'out', code=2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('flags', [['--images', '0'], ['--budget', 'nan'], ['--size', '-1'], ['--repeats', 'x']])
def test_numbers_that_make_no_sense(folder, capsys, flags):
    with pytest.raises(SystemExit) as end:
        main(['attack', str(folder), '--strategy', 'shuffle', '--out', 'x', *flags])
    assert end.value.code == 2
    assert f'argument {flags[0]}: must be' in capsys.readouterr().err


def test_ctrl_c_leaves_a_report_of_what_ran(folder, tmp_path):
    words = [folder, '--strategy', 'shuffle', '--size', 448, '--repeats', 50, '--attacks', 'jigsaw', '--out', tmp_path]
    command = [sys.executable, '-m', 'hii_mm.cli', 'attack', *map(str, words)]
    # what a shell starts with '&', such as a CI job, ignores SIGINT, and so would its children
    heed = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed)
    results = tmp_path / 'results.jsonl'
    while process.poll() is None and not (results.is_file() and results.read_text().count('\n') >= 1):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    report = read(tmp_path)
    assert report['interrupted']
    assert 0 < len(report['results']) < 150
    assert report['not_run'][0]['reason'] == 'interrupted'
    assert 'This run was interrupted' in (tmp_path / 'report.html').read_text()


def test_the_command_needs_neither_torch_nor_mm(folder, tmp_path, run):
    code = (
        'import sys\n'
        'class Refuse:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        "        if name.split('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'cv2'):\n"
        '            raise ImportError(name)\n'
        'sys.meta_path.insert(0, Refuse())\n'
        'from hii_mm.cli import main\n'
        f"sys.exit(main(['attack', {str(folder)!r}, '--strategy', 'shuffle', '--size', '96', '--images', '2', "
        f"'--out', {str(tmp_path)!r}]))\n"
    )
    run('-c', code)
    assert len(read(tmp_path)['results']) > 10


def test_the_face_judge_finds_the_astronaut_and_not_a_shuffle(photo):
    small = np.asarray(Image.fromarray(photo).resize((224, 224)))
    assert len(faces(small)) == 1
    plan = ShuffleParams(16).plan(small.shape, np.random.default_rng(0))
    assert faces(plan.apply(small)) == []


@pytest.mark.skipif(available()['words'] is not None, reason='tesseract is not installed')
def test_the_text_judge_reads_a_page_and_not_a_shuffle():
    from skimage import data

    page = np.ascontiguousarray(data.page()[:176, :384])
    plan = ShuffleParams(16).plan(page.shape, np.random.default_rng(0))
    found = words(page)
    assert len(found) > 5
    assert len(set(words(plan.apply(page))) & set(found)) < len(found) / 4


@pytest.mark.skipif(available()['classes'] is not None, reason=str(available()['classes']))
def test_the_class_judge_knows_an_espresso_and_not_its_shuffle():
    coffee, cat = sample_photos(224, ['coffee.png', 'chelsea.png']).values()
    assert label(coffee)[0] == 967  # espresso
    assert label(cat)[0] == 285  # Egyptian cat
    assert find(coffee)['classes'] == [967]
    assert judge({'classes': [967]}, coffee) == {'classes': 1.0}
    shuffled = ShuffleParams(16).plan(coffee.shape, np.random.default_rng(0)).apply(coffee)
    assert judge({'classes': [967]}, shuffled) == {'classes': 0.0}
    assert 'classes' not in find(coffee[:48, :48])


def test_a_judge_that_is_not_there_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    attack(folder, '--strategy', 'shuffle', '--size', 96, '--images', 1, '--attacks', 'identity', '--out', tmp_path)
    assert read(tmp_path)['judges']['words'] == 'tesseract is not installed (Debian: tesseract-ocr)'
    assert 'Recognisers that did not judge: words (tesseract is' in (tmp_path / 'report.html').read_text()


CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
OWN_HOSTS = ('googleapis.com', 'google.com', 'gvt1.com')  # what Chromium asks for by itself


def open_page(page, folder):
    """(URLs on the network, lines of the console, screenshot) of a page in headless Chromium."""
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
def test_the_page_opens_in_chromium_without_network_and_errors(folder, tmp_path):
    attack(folder, '--strategy', 'shuffle', '--size', 96, '--repeats', 1, '--images', 2, '--out', tmp_path / 'out')
    asked, console, shot = open_page(tmp_path / 'out' / 'report.html', tmp_path)
    assert (asked, console) == ([], [])
    assert len(shot.convert('L').resize((300, 500)).getcolors(256)) > 100  # photographs are drawn
    bad = tmp_path / 'bad.html'
    bad.write_text('<img src="http://tracker.invalid/a.png"><script>throw new Error("no")</script>')
    asked, console, _ = open_page(bad, tmp_path)
    assert asked == ['http://tracker.invalid/a.png']
    assert any('no' in line for line in console)
