"""``hii-mm attack`` and ``attack-train`` where torch and the mm packages are needed: configs, checkpoints, training."""

import json
import pickle

import pytest
import torch
from PIL import Image

from hii_mm.attacks.context import pool
from hii_mm.cli.main import main


@pytest.fixture(scope='module')
def folder(tmp_path_factory, photo):
    """Three photos of 96 x 96."""
    root = tmp_path_factory.mktemp('photos')
    for number in range(3):
        Image.fromarray(photo[120 * number :, 120:][:192, :192]).resize((96, 96)).save(root / f'{number}.png')
    return root


def attack(*words, code=0):
    assert main(['attack', *map(str, words), '--quiet']) == code


def train(*words, code=0):
    assert main(['attack-train', *map(str, words), '--quiet']) == code


def test_the_scheme_comes_from_a_config(folder, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        "pipeline = [dict(type='LoadImageFromFile'), dict(type='hii_mm.PatchShuffle', patch_size=12, gap=1)]\n"
        "train_dataloader = dict(dataset=dict(type='RepeatDataset', dataset=dict(pipeline=pipeline)))\n"
    )
    attack(folder, '--config', config, '--size', 96, '--attacks', 'identity', '--images', 1, '--out', tmp_path / 'out')
    assert json.loads((tmp_path / 'out' / 'report.json').read_text())['settings'][0]['name'] == 'RS p 12, gap 1'


@pytest.mark.parametrize(
    'text, message',
    [
        ("train_pipeline = [dict(type='LoadImageFromFile')]\n", 'no PatchMixup or PatchShuffle in a pipeline'),
        ('pipeline = [\n', 'cannot be read: '),
        ("_base_ = ['none.py']\n", 'cannot be read: '),
        ("train_pipeline = [dict(type='PatchShuffle', gap=8)]\n", 'gap 8 leaves nothing'),
    ],
)
def test_configs_that_are_not_accepted(folder, tmp_path, capsys, text, message):
    (tmp_path / 'config.py').write_text(text)
    attack(folder, '--config', tmp_path / 'config.py', '--out', tmp_path / 'out', code=2)
    said = capsys.readouterr().err
    assert said.startswith('hii-mm attack: ')
    assert message in said
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('kind', ['bytes', 'pickle', 'list', 'half'])
def test_files_that_are_not_checkpoints(folder, tmp_path, capsys, kind):
    file = tmp_path / 'FILE'
    if kind == 'bytes':
        file.write_bytes(b'not a checkpoint')
    elif kind == 'pickle':
        file.write_bytes(pickle.dumps(main))
    else:
        torch.save([1] if kind == 'list' else {'attack': 'context'}, file)
    words = ['--strategy', 'shuffle', '--attacks', 'jigsaw,context', '--checkpoint', f'context={file}']
    attack(folder, *words, '--out', tmp_path / 'out', code=2)
    said = capsys.readouterr().err
    assert said.startswith('hii-mm attack: ')
    assert str(file) in said
    assert not (tmp_path / 'out').exists()


def test_a_trained_attack_takes_part(folder, tmp_path, capsys):
    checkpoint = tmp_path / 'new' / 'context.pt'
    scheme = ['--strategy', 'shuffle', '--gap', 1, '--size', 96]
    train('context', '--public', folder, '--out', checkpoint, '--steps', 2, *scheme)
    said = capsys.readouterr().out
    assert said.startswith(f'Trained context against RS p 16, gap 1 on 3 photos: {checkpoint}, last loss ')
    words = [
        '--repeats',
        1,
        '--attacks',
        'jigsaw,context,position-vit',
        '--checkpoint',
        f'context={checkpoint}',
    ]
    attack(folder, *scheme, *words, '--out', tmp_path / 'out')
    said = capsys.readouterr().out
    assert 'context: ' in said
    assert 'position-vit was not run: ' in said
    assert 'hii-mm attack-train position-vit' in said


def test_a_training_that_was_interrupted_goes_on(folder, tmp_path, capsys, monkeypatch):
    out, part = tmp_path / 'a.pt', tmp_path / 'a.pt.part'
    words = ['context', '--public', folder, '--out', out, '--steps', 4, '--gap', 1, '--size', 96]
    train(*words, '--resume', code=2)
    assert f'there is nothing to resume: {part} does not exist' in capsys.readouterr().err
    at = pool.Pool.at

    def stop(self, step):
        if step == 2:
            raise KeyboardInterrupt
        return at(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(pool.Pool, 'at', stop)
        train(*words, code=130)
    assert 'context keeps FILE.part, which --resume goes on from' in capsys.readouterr().err
    assert part.is_file() and not out.exists()
    train(*words, '--resume')
    assert out.is_file() and not part.exists()
    train(*['position-vit' if word == 'context' else word for word in words], '--resume', code=2)
    assert 'position-vit keeps no unfinished checkpoints' in capsys.readouterr().err


def test_parrot_needs_a_folder_for_each_class(folder, tmp_path, capsys):
    words = ['parrot', '--public', folder, '--out', tmp_path / 'a.pth', '--steps', 1, '--size', 96]
    train(*words, code=2)
    assert capsys.readouterr().err.startswith('hii-mm attack-train: ')
    assert not (tmp_path / 'a.pth').exists()
