"""What ``hii-mm attack`` and ``attack-train`` find wrong before they begin, and what an interrupt leaves."""

import json
import os
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from hii_mm import handover
from hii_mm.attacks import Setting, cases, learned_edge, learning, make, plots, position, sweep
from hii_mm.attacks.handed import load
from hii_mm.attacks.photos import sample_photos
from hii_mm.attacks.runner import Runner
from hii_mm.cli import main
from hii_mm.encryption import MixupParams, ShuffleParams
from hii_mm.encryption.keyed import read_key, write_new_key


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('photos')
    for name, photo in sample_photos(96, ['astronaut.png', 'coffee.png']).items():
        Image.fromarray(photo).save(root / f'{name}.png')
    return root


def attack(*words, code=0):
    assert main(['attack', *map(str, words)]) == code


def read(out):
    return json.loads((out / 'report.json').read_text())


SHUFFLE = ['--strategy', 'shuffle', '--size', 96]


@pytest.mark.parametrize(
    'word, message',
    [
        ('magic=FILE', "with ATTACK one of learned-edge, position-vit, unet-inverse, parrot, got 'magic="),
        ('jigsaw=FILE', "one of learned-edge, position-vit, unet-inverse, parrot, got 'jigsaw="),
        ('learned-edge=none.pth', 'none.pth is not a file that is there'),
        ('learned-edge=FOLDER', 'is not a file that is there'),
        ('learned-edge=FILE', 'FILE is no checkpoint that hii-mm attack-train wrote'),
        ('learned-edge=PICKLE', 'PICKLE is no checkpoint that hii-mm attack-train wrote'),
        ('learned-edge=LIST', "LIST is a checkpoint of 'list', not of 'learned-edge'"),
        ('learned-edge=HALF', 'HALF is no checkpoint that hii-mm attack-train wrote'),
        ('parrot=FILE', 'parrot is not among --attacks jigsaw,learned-edge'),
        ('learned-edge', "takes ATTACK=FILE, got 'learned-edge'"),
    ],
)
def test_checkpoints_are_looked_into_before_anything_runs(folder, tmp_path, capsys, word, message):
    import pickle

    import torch

    (tmp_path / 'FILE').write_bytes(b'no checkpoint')
    (tmp_path / 'FOLDER').mkdir()
    (tmp_path / 'PICKLE').write_bytes(pickle.dumps(Setting))
    torch.save([1], tmp_path / 'LIST')
    torch.save({'attack': 'learned-edge'}, tmp_path / 'HALF')
    name, _, file = word.partition('=')
    word = f'{name}={tmp_path / file}' if file.isupper() else word
    flags = ['--attacks', 'jigsaw,learned-edge', '--checkpoint', word]
    attack(folder, *SHUFFLE, *flags, '--out', tmp_path / 'out', code=2)
    assert message in capsys.readouterr().err.replace(f'{tmp_path}/', '')
    assert not (tmp_path / 'out').exists()


def test_a_checkpoint_of_other_weights_is_a_value_error(tmp_path):
    setting = Setting([ShuffleParams(16)])
    learning.save(tmp_path / 'a', 'learned-edge', position.network(setting, (2, 2)), learned_edge.about(setting))
    with pytest.raises(ValueError, match='a holds other weights than learned-edge has'):
        make('learned-edge', checkpoint=tmp_path / 'a').prepare(setting, None)


@pytest.mark.parametrize('out', ['file', 'file/below'])
def test_out_that_is_a_file(folder, tmp_path, capsys, out):
    (tmp_path / 'file').write_text('kept')
    attack(folder, *SHUFFLE, '--out', tmp_path / out, code=2)
    assert f'{tmp_path / "file"} is no folder' in capsys.readouterr().err
    assert (tmp_path / 'file').read_text() == 'kept'


def test_a_negative_seed(folder, capsys):
    with pytest.raises(SystemExit) as end:
        main(['attack', str(folder), '--strategy', 'shuffle', '--out', 'x', '--seed', '-1'])
    assert end.value.code == 2
    assert "argument --seed: must be a whole number of at least 0, got '-1'" in capsys.readouterr().err


def test_matplotlib_is_missed_before_the_attacks(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    attack(folder, *SHUFFLE, '--out', tmp_path / 'out', code=2)
    assert "Run: pip install '.[attacks]'" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_the_figures_are_written_before_the_plots(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, 'bars', lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        attack(folder, *SHUFFLE, '--attacks', 'identity', '--out', tmp_path)
    assert read(tmp_path)['results']


@pytest.mark.parametrize(
    'text, message',
    [
        ('drop=0:inf', "finite numbers, got 'drop=0:inf'"),
        ('drop=nan:1', "finite numbers, got 'drop=nan:1'"),
        ('drop=0:0.5:nan', "finite numbers, got 'drop=0:0.5:nan'"),
        ('drop=0:0.5:1e-320', 'at most 50 values a parameter, got more'),
        (f'gap=0:{10**400}', 'at most 50 values a parameter, got more'),
    ],
)
def test_sweeps_without_an_end(folder, tmp_path, capsys, text, message):
    attack(folder, *SHUFFLE, '--sweep', text, '--out', tmp_path / 'out', code=2)
    assert message in capsys.readouterr().err
    assert len(sweep.parse('gap=0:7, window=2:51', (ShuffleParams(16),))['window']) == 50


@pytest.fixture(scope='module')
def owner(tmp_path_factory):
    """Photos, a key, copies of several kinds, and a folder in which one photo is another."""
    root = tmp_path_factory.mktemp('owner')
    (root / 'src').mkdir()
    photos = sample_photos(128, ['coffee.png', 'chelsea.png'])
    for name, photo in photos.items():
        Image.fromarray(photo[:120, :124]).save(root / 'src' / f'{name}.png')
    shutil.copytree(root / 'src', root / 'swapped')
    shutil.copy(root / 'src' / 'coffee.png', root / 'swapped' / 'chelsea.png')
    write_new_key(str(root / 'key'))
    key = read_key(str(root / 'key'))
    kinds = {
        'png': dict(orient=True),
        'gap': dict(gap=2, window=4),
        'webp': dict(format='webp'),
        'jpeg': dict(format='jpeg'),
        'shards': dict(format='shards', strategy='both'),
        'mixup': dict(strategy='mixup'),
        'drop': dict(drop_ratio=0.25),
    }
    for name, more in kinds.items():
        settings = handover.Settings(fit='crop', **more)
        handover.encrypt(handover.Request(str(root / 'src'), str(root / name), key, settings))
    return root


@pytest.mark.parametrize('key', [True, False])
@pytest.mark.parametrize('kind', ['png', 'gap', 'webp', 'jpeg', 'shards', 'mixup', 'drop'])
def test_the_plain_picture_must_be_the_one_that_was_encrypted(owner, kind, key):
    key = str(owner / 'key') if key else None
    found, left = load(owner / kind, owner / 'src', key)
    assert (len(found), left) == (2, [])
    found, left = load(owner / kind, owner / 'swapped', key)
    if kind == 'drop' and not key:
        assert len(found) == 2  # nobody knows which patches are left
    else:
        assert [case.name.split('.')[0] for case in found] == ['coffee']
        assert len(left) == 1
        assert left[0].endswith('chelsea.png is not the picture that was encrypted')


def test_a_report_within_the_source_is_not_attacked(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / 'photos')
    words = [tmp_path / 'photos', *SHUFFLE, '--attacks', 'identity', '--repeats', 1]
    for _ in range(2):
        attack(*words, '--public', tmp_path / 'photos', '--out', tmp_path / 'photos' / 'report')
        report = read(tmp_path / 'photos' / 'report')
        assert {row['image'] for row in report['results']} == {'astronaut', 'coffee'}
    assert len(list((tmp_path / 'photos').rglob('*.png'))) > 4
    attack(*words, '--out', tmp_path, code=2)
    assert f'photos outside of --out {str(tmp_path)!r}' in capsys.readouterr().err


@pytest.mark.parametrize('place', ['load_pictures', 'picture_files'])
def test_ctrl_c_while_loading(folder, tmp_path, monkeypatch, capsys, place):
    def interrupt(*given):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGTERM)  # as Ctrl-C

    monkeypatch.setattr(cases, place, interrupt)
    attack(folder, *SHUFFLE, '--out', tmp_path / 'out', code=130)
    assert 'interrupted' in capsys.readouterr().err


@pytest.mark.parametrize('whole', [0, 1])
def test_ctrl_c_while_encrypting_lists_the_rest(folder, tmp_path, monkeypatch, whole):
    calls, real = [], cases.try_setting

    def interrupt(*given):
        calls.append(given)
        if len(calls) > whole:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(cases, 'try_setting', interrupt)
    flags = ['--attacks', 'identity', '--sweep', 'gap=0:2', '--repeats', 2]
    attack(folder, *SHUFFLE, *flags, '--out', tmp_path, code=130)
    report = read(tmp_path)
    assert report['interrupted']
    assert len(report['results']) == 4 * whole  # two images, twice
    left = {(row['setting'], row['reason'], row['runs']) for row in report['not_run']}
    assert left == {(f'RS p 16, gap {gap}', 'interrupted', 4) for gap in range(whole, 3)}


def test_ctrl_c_out_of_the_runner_lists_the_rest(folder, tmp_path, monkeypatch):
    real = Runner.run

    def interrupt(self, found, attacks):
        real(self, found[:1], attacks)
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, 'run', interrupt)
    attack(folder, *SHUFFLE, '--attacks', 'identity,mixup-inverse', '--out', tmp_path, code=130)
    report = read(tmp_path)
    assert len(report['results']) == 1
    left = {(row['attack'], row['reason']): row['runs'] for row in report['not_run']}
    assert (left['identity', 'interrupted'], left['mixup-inverse', 'interrupted']) == (5, 5)


@pytest.mark.parametrize(
    'flags, runs',
    [([], 3), (['--repeats', 2], 2), (['--sweep', 'gap=0:0'], 1), (['--sweep', 'gap=0:0', '--repeats', 2], 2)],
)
def test_repeats_with_and_without_a_sweep(folder, tmp_path, flags, runs):
    attack(folder, *SHUFFLE, '--attacks', 'identity', '--images', 1, *flags, '--out', tmp_path)
    assert len(read(tmp_path)['results']) == runs


def test_names_of_settings_keep_the_digits():
    names = [Setting([ShuffleParams(16, drop_ratio=ratio)]).name() for ratio in (0.1, 0.105, 0.25, 0.07, 0.1234567)]
    assert [name.split(', ')[-1] for name in names] == [
        'drop 10%',
        'drop 10.5%',
        'drop 25%',
        'drop 7%',
        'drop 12.34567%',
    ]


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--out', 'FOLDER'], 'FOLDER is a folder'),
        (['--out', 'FOLDER/file/a.pth'], 'FOLDER/file is no folder'),
        (['--size', '0'], '--size must be at least 32, two patches of 16 x 16 a side, got 0'),
        (['--size', '-5'], 'got -5'),
        (['--size', '31'], 'got 31'),
        (['--strategy', 'both', '--patch-size', '64', '--size', '127'], '--size must be at least 128'),
    ],
)
def test_training_refuses_before_it_trains(folder, tmp_path, capsys, monkeypatch, flags, message):
    (tmp_path / 'file').write_text('')
    monkeypatch.setattr(learned_edge, 'train', lambda *given, **more: pytest.fail('it was trained'))
    words = ['attack-train', 'learned-edge', '--public', str(folder), '--out', str(tmp_path / 'a.pth')]
    assert main([*words, *(flag.replace('FOLDER', str(tmp_path)) for flag in flags)]) == 2
    assert message.replace('FOLDER', str(tmp_path)) in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda *given: False)  # root may write everywhere
    with pytest.raises(cases.SourceError, match='cannot be written to'):
        cases.check_folder(tmp_path / 'new', '--out')


def test_a_training_that_came_to_nothing_writes_nothing(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learned_edge, 'train', lambda *given, **more: (None, {}, [1.0, float('nan')]))
    assert main(['attack-train', 'learned-edge', '--public', str(folder), '--out', str(tmp_path / 'a.pth')]) == 1
    assert f'the last loss is nan, so {tmp_path / "a.pth"} was not written' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_position_vit_compares_the_grid_of_every_image(tmp_path):
    params, photo = ShuffleParams(16), sample_photos(96, ['coffee.png'])['coffee']
    wide, tall = Setting([params], (64, 96)), Setting([params], (96, 64))
    learning.save(tmp_path / 'a', 'position-vit', position.network(wide, (4, 6)), position.about(wide, (4, 6)))
    found = make('position-vit', checkpoint=tmp_path / 'a')
    encrypted = {
        s: s.encrypt(np.ascontiguousarray(photo[: s.plain_shape[0], : s.plain_shape[1]]), np.random.default_rng(0))[0]
        for s in (wide, tall)
    }
    assert found.recover(encrypted[wide], wide).image.shape == (64, 96, 3)
    with pytest.raises(ValueError, match='a was trained at 4 x 6 places, and this image has 6 x 4'):
        found.recover(encrypted[tall], tall)
    assert found.recover(encrypted[wide], wide).image.shape == (64, 96, 3)


def test_a_checkpoint_is_for_one_mixing(tmp_path):
    trained, other = (Setting([MixupParams(size, 2), ShuffleParams(8)], (96, 96)) for size in (16, 32))
    learning.save(tmp_path / 'a', 'learned-edge', learned_edge.network(trained), learned_edge.about(trained))
    make('learned-edge', checkpoint=tmp_path / 'a').prepare(trained, None)
    with pytest.raises(ValueError, match='was trained at'):
        make('learned-edge', checkpoint=tmp_path / 'a').prepare(other, None)
