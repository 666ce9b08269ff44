"""``hii-mm attack`` and ``attack-train``: flags, messages, exit codes and interrupts."""

import functools
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from helpers import ROOT
from hii_mm import Scheme, encrypt, write_new_key
from hii_mm.attacks import api
from hii_mm.cli import attack as command
from hii_mm.cli import attack_train
from hii_mm.cli.main import main
from hii_mm.encryption import read_key, write_key


@pytest.fixture(scope='module')
def folder(tmp_path_factory, photo):
    """Three photos of 96 x 96 and a file that is not one."""
    root = tmp_path_factory.mktemp('photos')
    for number, name in enumerate(('face', 'flag', 'suit')):
        Image.fromarray(photo[120 * number :, 120:][:192, :192]).resize((96, 96)).save(root / f'{name}.png')
    (root / 'broken.jpg').write_bytes(b'not an image')
    return root


@pytest.fixture(scope='module')
def owner(folder, tmp_path_factory):
    """A key, and a copy of two of the photos."""
    root = tmp_path_factory.mktemp('owner')
    (root / 'src').mkdir()
    for name in ('face', 'flag'):
        shutil.copy(folder / f'{name}.png', root / 'src')
    write_new_key(root / 'key')
    write_new_key(root / 'other')
    encrypt(root / 'src', root / 'dst', key=root / 'key', scheme=Scheme(16))
    return root


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv('HII_MM_KEY_FILE', raising=False)


def attack(*words, code=0):
    assert main(['attack', *map(str, words), '--quiet']) == code


def read(out):
    return json.loads((out / 'report.json').read_text())


def figures(report):
    return {entry['name']: entry for entry in report['settings'][0]['attacks']}


TRY = ['--strategy', 'shuffle', '--size', 96, '--repeats', 1]


def test_the_names_in_the_help_are_those_of_the_library():
    assert tuple(api.DEFAULT) == command.DEFAULT
    assert tuple(sorted(api.trainable())) == attack_train.TRAINABLE


@pytest.mark.parametrize(
    'flags, scheme',
    [
        (['--gap', 1], Scheme(16, gap=1)),
        (['--orient'], Scheme(16, orient=True)),
        (['--preset', 'paper-mi'], Scheme(16, strategy='mixup')),
    ],
)
def test_one_flag_of_a_scheme_is_enough(folder, tmp_path, capsys, flags, scheme):
    attack(folder, *flags, '--size', 96, '--repeats', 1, '--attacks', 'identity', '--out', tmp_path / 'r')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('No grade: ') or scheme.label in lines[0]  # few photos: the control alone
    assert lines[1] == scheme.label


def test_it_prints_a_line_for_each_attack_and_where_the_report_is(folder, tmp_path, capsys):
    attack(folder, *TRY, '--gap', 1, '--out', tmp_path / 'r')
    report, said = read(tmp_path / 'r'), capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[:2] == [report['verdict'], 'RS p 16, gap 1']
    assert {line.split()[0].rstrip(':') for line in lines[2:-1]} == set(command.DEFAULT)
    assert [line.strip() for line in lines[2:-1]] == [entry['verdict'] for entry in report['settings'][0]['attacks']]
    assert lines[-1] == str(tmp_path / 'r' / 'report.html')
    assert said.err.startswith('hii-mm attack: left out ')
    assert 'broken.jpg: ' in said.err
    assert report['command'] == f'hii-mm attack {folder} --strategy shuffle --size 96 --repeats 1 --gap 1 --out ' + (
        f'{tmp_path / "r"} --quiet'
    )
    for name in ('report.html', 'recovered.png'):
        assert (tmp_path / 'r' / name).is_file()
    assert 'secure' not in said.out.lower()
    assert 'anonym' not in said.out.lower()


def test_the_flags_reach_the_report(folder, tmp_path):
    words = ['--strategy', 'both', '--patch-size', 32, '--drop-ratio', 0.5, '--window', 2, '--orient', '--seed', 7]
    words += ['--images', 2, '--repeats', 2, '--attacks', 'identity, jigsaw', '--size', 64]
    attack(folder, *words, '--out', tmp_path)
    report = read(tmp_path)
    assert report['settings'][0]['name'] == 'RS on MI p 32, grid 2, gap 0, drop 50%, orient, window 2'
    assert list(figures(report)) == ['identity', 'jigsaw']
    assert len({row['image'] for row in report['results']}) == 2
    assert len(report['results']) == 2 * 2 * 2
    assert report['seed'] == 7
    shown = Image.open(tmp_path / report['results'][0]['pictures']['plain'])
    assert shown.size == (64, 64)


def test_effort_annotations_and_jobs_reach_the_report(folder, tmp_path, capsys):
    images = [dict(id=1, file_name='face.png', width=96, height=96)]
    rows = [dict(id=k + 1, image_id=1, category_id=1, bbox=[7 * k, 5 * k, 40, 30], area=1, iscrowd=0) for k in range(8)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images, annotations=rows, categories=[])))
    words = ['--annotations', tmp_path / 'a.json', '--attacks', 'annotations-only', '--effort', 0, '--jobs', 2]
    assert main([str(word) for word in ('attack', folder, *TRY, *words, '--out', tmp_path / 'r')]) == 0
    report = read(tmp_path / 'r')
    assert ([row['image'] for row in report['results']], report['jobs']) == (['face'], 2)
    assert '--annotations' in report['not_run'][0]['reason']
    said = capsys.readouterr().err
    assert re.search(r'hii-mm attack: about \d+ s: 3 photos x 1 attack', said)


@pytest.mark.parametrize(
    'flags, runs',
    [([], 1), (['--repeats', 2], 2), (['--sweep', 'gap=0:0'], 1), (['--sweep', 'gap=0:0', '--repeats', 2], 2)],
)
def test_repeats_with_and_without_a_sweep(folder, tmp_path, flags, runs):
    words = ['--strategy', 'shuffle', '--size', 96, '--attacks', 'identity', '--images', 1, *flags]
    attack(folder, *words, '--out', tmp_path)
    assert len(read(tmp_path)['results']) == runs


def test_a_sweep_prints_each_scheme_and_draws_curves(folder, tmp_path, capsys):
    words = ['--images', 1, '--attacks', 'identity', '--sweep', 'gap=0:2:2,orient']
    attack(folder, *TRY, *words, '--out', tmp_path)
    schemes = [line for line in capsys.readouterr().out.splitlines() if line.startswith('RS ')]
    assert schemes == ['RS p 16, gap 0', 'RS p 16, gap 2', 'RS p 16, gap 0, orient']
    assert (tmp_path / 'identity-gap.png').is_file()
    assert (tmp_path / 'identity-orient.png').is_file()


def test_a_key_with_a_passphrase(owner, tmp_path, capsys):
    write_key(tmp_path / 'sealed', read_key(owner / 'key'), 'five words')
    (tmp_path / 'words').write_text('five words')
    (tmp_path / 'words').chmod(0o600)
    words = [owner / 'dst', '--attacks', 'identity', '--against', owner / 'src', '--key', tmp_path / 'sealed']
    attack(*words, '--passphrase-file', tmp_path / 'words', '--out', tmp_path / 'out')
    assert read(tmp_path / 'out')['results']
    (tmp_path / 'words').write_text('other words')
    attack(*words, '--passphrase-file', tmp_path / 'words', '--out', tmp_path / 'out', code=2)
    assert 'the passphrase is wrong' in capsys.readouterr().err


def test_an_encrypted_copy_with_and_without_the_truth(owner, tmp_path, monkeypatch):
    words = [owner / 'dst', '--attacks', 'jigsaw']
    attack(*words, '--out', tmp_path / 'a')
    assert figures(read(tmp_path / 'a'))['jigsaw']['metrics'] == {}
    attack(*words, '--against', owner / 'src', '--out', tmp_path / 'b')
    found = figures(read(tmp_path / 'b'))['jigsaw']['metrics']
    assert 'psnr' in found
    assert 'neighbour' not in found
    attack(*words, '--against', owner / 'src', '--key', owner / 'key', '--out', tmp_path / 'c')
    assert 'neighbour' in figures(read(tmp_path / 'c'))['jigsaw']['metrics']
    monkeypatch.setenv('HII_MM_KEY_FILE', str(owner / 'key'))
    attack(*words, '--against', owner / 'src', '--out', tmp_path / 'd')
    assert 'neighbour' in figures(read(tmp_path / 'd'))['jigsaw']['metrics']
    attack(*words, '--out', tmp_path / 'e')  # the key alone measures nothing
    assert figures(read(tmp_path / 'e'))['jigsaw']['metrics'] == {}


def test_encrypted_images_with_a_scheme(folder, tmp_path):
    plain = np.asarray(Image.open(folder / 'face.png'))
    encrypted = Scheme(16).plan(plain.shape, np.random.default_rng(0)).apply(plain)
    Image.fromarray(encrypted).save(tmp_path / 'hidden.png')
    words = [tmp_path / 'hidden.png', '--encrypted', '--strategy', 'shuffle', '--attacks', 'jigsaw,linkage']
    attack(*words, '--out', tmp_path / 'out')
    assert figures(read(tmp_path / 'out'))['jigsaw']['metrics'] == {}
    assert figures(read(tmp_path / 'out'))['linkage']['status'] == 'not run'
    attack(*words, '--public', folder, '--out', tmp_path / 'out')
    assert figures(read(tmp_path / 'out'))['linkage']['status'] == 'run'


def test_the_budget_and_the_next_run(folder, tmp_path, capsys):
    words = [folder, *TRY, '--attacks', 'identity', '--out', tmp_path]
    attack(*words, '--budget', 0)
    assert 'identity was not run: out of budget' in capsys.readouterr().out
    assert read(tmp_path)['results'] == []
    attack(*words)
    assert len(read(tmp_path)['results']) == 3


def test_nothing_can_be_attacked(tmp_path, capsys):
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / 'a.png')
    words = [tmp_path / 'a.png', '--strategy', 'shuffle', '--size', 0, '--out', tmp_path / 'out']
    attack(*words, code=1)
    assert 'hii-mm attack: ' in capsys.readouterr().err
    (tmp_path / 'a.png').write_bytes(b'not an image')
    attack(*words, code=1)
    assert 'a.png: not an image in' in capsys.readouterr().err
    assert not (tmp_path / 'out' / 'report.html').exists()


@pytest.mark.parametrize(
    'words, message',
    [
        (['PHOTOS'], 'scheme'),
        (['none', '--strategy', 'shuffle'], 'none'),
        (['EMPTY', '--strategy', 'shuffle'], 'EMPTY'),
        (['PHOTOS', '--strategy', 'shuffle', '--gap', '8'], 'gap 8 leaves nothing'),
        (['PHOTOS', '--strategy', 'mixup', '--gap', '2'], "strategy 'mixup' has none"),
        (['PHOTOS', '--strategy', 'shuffle', '--attacks', 'magic'], "got 'magic'"),
        (['PHOTOS', '--strategy', 'shuffle', '--against', 'SRC'], 'a folder that hii-mm encrypt wrote'),
        (['PHOTOS', '--strategy', 'shuffle', '--key', 'KEY'], 'a folder that hii-mm encrypt wrote'),
        (['PHOTOS', '--strategy', 'shuffle', '--public', 'EMPTY'], 'EMPTY'),
        (['PHOTOS', '--strategy', 'shuffle', '--sweep', 'zoom'], "got 'zoom'"),
        (['PHOTOS', '--strategy', 'mixup', '--sweep', 'gap=0:1'], 'shuffle'),
        (['PHOTOS', '--strategy', 'shuffle', '--encrypted', '--sweep', 'gap=0:1'], 'plain'),
        (['PHOTOS', '--strategy', 'shuffle', '--sweep', 'drop=0:inf'], "got 'drop=0:inf'"),
        (['PHOTOS', '--strategy', 'shuffle', '--config', 'c.py'], '--config and --strategy both describe a scheme'),
        (['PHOTOS', '--preset', 'paper-rs', '--config', 'c.py'], '--config and --preset both describe a scheme'),
        (['PHOTOS', '--preset', 'paper-rs', '--gap', '2'], '--preset paper-rs and --gap both describe a scheme'),
        (['PHOTOS', '--config', 'none.py'], 'config not found: none.py'),
        (['DST', '--strategy', 'shuffle'], 'manifest'),
        (['DST', '--gap', '2'], 'manifest'),
        (['DST', '--encrypted'], 'manifest'),
        (['DST', '--key', 'KEY'], 'plain'),
        (['DST', '--against', 'SRC', '--key', 'OTHER'], 'was made with the key'),
        (['DST', '--against', 'SRC', '--key', 'SRC'], 'cannot be read'),
    ],
)
def test_what_is_not_accepted_leaves_nothing(folder, owner, tmp_path, capsys, words, message):
    (tmp_path / 'empty').mkdir()
    places = {'PHOTOS': folder, 'EMPTY': tmp_path / 'empty', 'DST': owner / 'dst', 'SRC': owner / 'src'}
    places |= {'KEY': owner / 'key', 'OTHER': owner / 'other'}
    attack(*[places.get(word, word) for word in words], '--out', tmp_path / 'out', code=2)
    said = capsys.readouterr().err
    assert said.startswith('hii-mm attack: ')
    assert str(places.get(message, message)) in said
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'words, message',
    [
        (['magic=FILE'], "'magic'"),
        (['jigsaw=FILE'], "'jigsaw'"),
        (['context=none.pth'], 'checkpoint not found: none.pth'),
        (['context=FOLDER'], 'checkpoint not found: '),
        (['parrot=FILE'], 'parrot'),
        (['context=FILE', 'context=FILE'], '--checkpoint names an attack twice'),
    ],
)
def test_checkpoints_are_checked_before_anything_runs(folder, tmp_path, capsys, words, message):
    (tmp_path / 'file').write_bytes(b'not a checkpoint')
    places = {'FILE': str(tmp_path / 'file'), 'FOLDER': str(tmp_path)}
    flags = ['--attacks', 'jigsaw,context']
    for name, _, file in (word.partition('=') for word in words):
        flags += ['--checkpoint', f'{name}={places.get(file, file)}']
    attack(folder, *TRY, *flags, '--out', tmp_path / 'out', code=2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'flags',
    [
        ['--images', '0'],
        ['--budget', 'nan'],
        ['--size', '-1'],
        ['--repeats', 'x'],
        ['--seed', '-1'],
        ['--jobs', '0'],
        ['--jobs', '1.5'],
        ['--effort', '-1'],
        ['--effort', 'nan'],
        ['--effort', '101'],
        ['--effort', 'much'],
    ],
)
def test_numbers_that_are_not_accepted(folder, capsys, flags):
    with pytest.raises(SystemExit) as end:
        main(['attack', str(folder), '--strategy', 'shuffle', '--out', 'x', *flags])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f'hii-mm attack: argument {flags[0]}: must be ')
    assert f'got {flags[1]!r}; see hii-mm attack --help' in said


@pytest.mark.parametrize('out', ['file', 'file/below'])
def test_out_that_is_a_file(folder, tmp_path, capsys, out):
    (tmp_path / 'file').write_text('kept')
    attack(folder, *TRY, '--out', tmp_path / out, code=2)
    assert f'{tmp_path / "file"} is not a folder' in capsys.readouterr().err
    assert (tmp_path / 'file').read_text() == 'kept'


def test_no_report_is_written_into_a_copy(owner, capsys):
    words = [owner / 'dst', '--against', owner / 'src', '--key', owner / 'key', '--out', owner / 'dst' / 'r']
    attack(*words, code=2)
    assert f'lies inside the encrypted copy {str(owner / "dst")!r}' in capsys.readouterr().err
    assert not (owner / 'dst' / 'r').exists()


@pytest.mark.parametrize('package', ['matplotlib', 'jinja2', 'scipy', 'skimage'])
def test_a_missing_package_is_named_before_the_attacks(folder, tmp_path, run, package):
    code = (
        f'import sys\nsys.modules[{package!r}] = None\nfrom hii_mm.cli.main import main\n'
        f"sys.exit(main(['attack', {str(folder)!r}, '--strategy', 'shuffle', '--out', {str(tmp_path / 'out')!r}]))"
    )
    said = run('-c', code, code=2).stderr
    assert said.startswith('hii-mm attack: ')
    assert "pip install '.[attacks]'" in said
    assert not (tmp_path / 'out').exists()


def test_the_command_needs_neither_torch_nor_mm(folder, tmp_path, run):
    code = (
        'import sys\n'
        'class Refuse:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        "        if name.split('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain'):\n"
        '            raise ImportError(name)\n'
        'sys.meta_path.insert(0, Refuse())\n'
        'from hii_mm.cli.main import main\n'
        f"sys.exit(main(['attack', {str(folder)!r}, '--strategy', 'shuffle', '--size', '96', '--images', '2', "
        f"'--out', {str(tmp_path)!r}]))\n"
    )
    run('-c', code)
    status = {entry['name']: entry['status'] for entry in read(tmp_path)['settings'][0]['attacks']}
    absent = {'context': 'not run', 'mixup-inverse': 'not run'}  # without torch, and where nothing is mixed
    assert status == dict.fromkeys(command.DEFAULT, 'run') | absent


def test_a_config_needs_the_mm_packages(folder, tmp_path, run):
    for name in ('onedl_mmengine', 'mmengine'):  # two sets of them, as good as none
        info = tmp_path / 'path' / f'{name}-9.9.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name.replace("_", "-")}\nVersion: 9.9\n')
    (tmp_path / 'c.py').write_text('pipeline = []')
    words = ['attack', folder, '--config', tmp_path / 'c.py', '--out', tmp_path / 'out']
    said = run('-m', 'hii_mm', *words, code=2, env={'PYTHONPATH': str(tmp_path / 'path')}).stderr
    assert said.startswith('hii-mm attack: --config needs the mm packages: ')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_report_of_what_ran(folder, tmp_path, number):
    words = [folder, '--strategy', 'shuffle', '--size', 112, '--repeats', 50, '--attacks', 'jigsaw']
    words += ['--jobs', 1, '--out', tmp_path]
    # what a shell starts with '&', such as a CI job, ignores SIGINT, and so would its children
    heed = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, '-m', 'hii_mm', 'attack', *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed,
    )
    results = tmp_path / 'results.jsonl'
    while process.poll() is None and not (results.is_file() and results.read_text().count('\n') >= 1):
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.splitlines()[-1] == str(tmp_path / 'report.html')
    assert err.endswith('hii-mm attack: interrupted: the report holds what ran; the same command continues\n')
    report = read(tmp_path)
    assert report['interrupted']
    assert 0 < len(report['results']) < 150
    assert report['not_run'][0]['reason'] == 'interrupted'


def test_an_interrupt_before_anything_ran(folder, tmp_path, monkeypatch, capsys):
    def interrupt(*given, **named):
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(api, 'attack', interrupt)
    attack(folder, *TRY, '--out', tmp_path / 'out', code=130)
    assert capsys.readouterr().err == (
        'hii-mm attack: interrupted: no report was written; the same command continues\n'
    )
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    'words, message',
    [
        (['jigsaw'], 'jigsaw does not learn; choose one of context, bag, parrot, position-vit, unet-inverse'),
        (['magic'], "'magic'"),
        (['unet-inverse', '--strategy', 'shuffle'], 'unet-inverse'),
        (['context', '--strategy', 'mixup'], 'context'),
        (['context', '--gap', '8'], 'gap 8 leaves nothing'),
        (['context', '--public', 'none'], 'none'),
        (['context', '--out', 'FOLDER'], 'FOLDER'),
        (['context', '--out', 'FOLDER/file/a.pth'], 'FOLDER/file is not a folder'),
        (['context', '--size', '0'], 'size must be at least'),
        (['context', '--size', '31'], '31'),
        (['context', '--strategy', 'both', '--patch-size', '64', '--size', '127'], '128'),
    ],
)
def test_training_refuses_before_it_trains(folder, tmp_path, capsys, words, message):
    (tmp_path / 'file').write_text('')
    words = [word.replace('FOLDER', str(tmp_path)) for word in words]
    out = [] if '--out' in words else ['--out', str(tmp_path / 'a.pth')]
    public = [] if '--public' in words else ['--public', str(folder)]
    assert main(['attack-train', *words, *public, *out]) == 2
    said = capsys.readouterr().err
    assert said.startswith('hii-mm attack-train: ')
    assert message.replace('FOLDER', str(tmp_path)) in said
    assert [path.name for path in tmp_path.iterdir()] == ['file']
