"""``hii-mm info`` on copies and manifests, which need the base install alone."""

import json

import pytest

import hii_mm
from helpers.copies import write_images
from hii_mm import Scheme
from hii_mm.cli.main import main


@pytest.fixture
def copy(tmp_path):
    src = write_images(tmp_path / 'src', ['a.png', 'b.png'])
    hii_mm.write_new_key(tmp_path / 'key')
    hii_mm.encrypt(src, tmp_path / 'copy', key=tmp_path / 'key', scheme=Scheme(16, strategy='both', gap=1))
    return tmp_path / 'copy'


def test_a_copy_and_its_manifest(copy, capsys):
    for path in (copy, copy / 'manifest.json'):
        assert main(['info', str(path)]) == 0
        out = capsys.readouterr().out
        assert out.splitlines() == [
            f'{path}: encrypted copy (2 images)',
            '  RS on MI p 16, grid 2, gap 1 (preset mixed-v1); a model reads patches of 6 x 6 (h x w)',
        ]
        assert main(['info', '--json', str(path)]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found['kind'], found['images']) == ('encrypted copy', 2)
        scheme = found['schemes']['images']
        assert scheme['model_patch_size'] == [6, 6]
        steps = [{**step, 'patch_size': tuple(step['patch_size'])} for step in scheme['steps']]
        assert Scheme.from_config(steps) == Scheme(16, strategy='both', gap=1)


def test_it_tells_nothing_that_is_secret(copy, capsys):
    main(['info', '--json', str(copy)])
    out = capsys.readouterr().out
    manifest = hii_mm.Manifest(copy)
    assert manifest.key_fingerprint not in out
    assert manifest.dataset_id not in out


def test_what_is_none_of_these(tmp_path, capsys):
    (tmp_path / 'a.json').write_text('{}')
    (tmp_path / 'manifest.json').write_text('{}')
    for path, code, message in (
        (tmp_path / 'none', 2, f"file not found: '{tmp_path}/none'"),
        (tmp_path / 'a.json', 2, 'is not a checkpoint, a copy, a manifest.json or a config (.py)'),
        (tmp_path / 'manifest.json', 1, "manifest.json' is not a manifest"),
    ):
        assert main(['info', str(path)]) == code
        assert message in capsys.readouterr().err
    (tmp_path / 'empty').mkdir()
    assert main(['info', str(tmp_path / 'empty')]) == 1
    assert 'has no manifest.json' in capsys.readouterr().err


def test_what_needs_more_than_the_base_install(tmp_path, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, 'torch', None)
    (tmp_path / 'm.pth').write_bytes(b'x')
    assert main(['info', str(tmp_path / 'm.pth')]) == 2
    assert 'a checkpoint is read with torch, which is not installed. Run: pip install' in capsys.readouterr().err
