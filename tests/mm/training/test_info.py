"""``hii-mm info`` on checkpoints and configs."""

import json

import torch

from helpers import ROOT
from hii_mm import Scheme
from hii_mm.cli.main import main
from hii_mm.training.checkpoints import SCHEME, steps_as_config

CONFIG = ROOT / 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_digits.py'


def test_checkpoints(tmp_path, capsys):
    meta = dict(epoch=3, dataset_meta=dict(classes=('a', 'b')))
    for name, told, line in (
        (
            'rs',
            {SCHEME: steps_as_config(Scheme(16, gap=2))},
            'RS p 16, gap 2; a model reads patches of 12 x 12 (h x w)',
        ),
        ('plain', {SCHEME: []}, 'plain images'),
        ('old', {}, 'unknown: it was written without the hook CheckEncryption'),
    ):
        path = tmp_path / f'{name}.pth'
        torch.save(dict(state_dict={}, meta={**meta, **told}), path)
        assert main(['info', str(path)]) == 0
        assert capsys.readouterr().out.splitlines() == [f'{path}: checkpoint (epoch 3, classes: 2)', f'  {line}']
    assert main(['info', '--json', str(tmp_path / 'rs.pth')]) == 0
    scheme = json.loads(capsys.readouterr().out)['schemes']['trained on']
    assert (scheme['label'], scheme['model_patch_size']) == ('RS p 16, gap 2', [12, 12])
    (tmp_path / 'text.pth').write_text('hello')
    assert main(['info', str(tmp_path / 'text.pth')]) == 2
    assert 'is not a checkpoint of weights and plain values' in capsys.readouterr().err


def test_configs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(['info', str(CONFIG)]) == 0
    told = 'RS p 4, gap 0; a model reads patches of 4 x 4 (h x w)'
    parts = [f'  {part}: {told}' for part in ('train', 'val', 'test')]
    assert capsys.readouterr().out.splitlines() == [f'{CONFIG}: config', *parts]
    plain = tmp_path / 'plain.py'
    plain.write_text("train_dataloader = dict(dataset=dict(data_root='here', pipeline=[dict(type='PackInputs')]))")
    assert main(['info', str(plain)]) == 0
    assert 'unknown: no transform encrypts, and data_root' in capsys.readouterr().out
    (tmp_path / 'here').mkdir()
    assert main(['info', str(plain)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == '  plain images'
