"""The owner's commands where only the base install is there: no torch, no mm, none of the extras."""

import numpy as np
import pytest
from PIL import Image

LOADED = (
    'import sys, {}\n'
    "print(sorted({{m.split('.')[0] for m in sys.modules}} & {{'torch', 'mmengine', 'mmcv', 'scipy', 'matplotlib'}}))"
)


@pytest.mark.parametrize(
    'module', ['hii_mm', 'hii_mm.encryption', 'hii_mm.handover', 'hii_mm.cli.main', 'hii_mm.preview', 'hii_mm.compat']
)
def test_importing_it_loads_neither_torch_nor_mm(run, module):
    assert run('-c', LOADED.format(module)).stdout.strip() == '[]'


def test_importing_the_package_does_not_load_numpy(run):
    code = "import sys, hii_mm; print('numpy' in sys.modules, callable(hii_mm.encrypt), 'numpy' in sys.modules)"
    assert run('-c', code).stdout.split() == ['False', 'True', 'True']


def test_nothing_else_can_be_imported_there(bare):
    for name in ('torch', 'mmengine', 'scipy', 'skimage', 'matplotlib', 'jinja2'):
        assert 'ModuleNotFoundError' in bare('-c', f'import {name}', code=1).stderr


def test_an_owner_previews_encrypts_verifies_and_decrypts(bare, tmp_path, src):
    def hii_mm(*words):
        return bare('-m', 'hii_mm', *words).stdout

    hii_mm('preview', src / 'class0' / 'a.png', '--out', tmp_path / 'preview')
    assert (tmp_path / 'preview' / 'a_preview.png').is_file()
    key = ['--key', tmp_path / 'key']
    hii_mm('keygen', tmp_path / 'key')
    hii_mm('encrypt', src, tmp_path / 'dst', *key, '--preset', 'paper-rs', '--workers', 2)
    assert 'signature and checksums are valid' in hii_mm('verify', tmp_path / 'dst', *key, '--against', src)
    hii_mm('decrypt', tmp_path / 'dst', tmp_path / 'out', *key)
    for name in ('class0/a.png', 'class1/f.png'):
        plain, encrypted, back = (np.asarray(Image.open(tmp_path / root / name)) for root in ('src', 'dst', 'out'))
        assert (plain == back).all()
        assert (plain != encrypted).any()


@pytest.mark.parametrize('command, words', [('attack', ['--strategy', 'shuffle']), ('recommend', [])])
def test_attacks_say_what_to_install(bare, tmp_path, src, command, words):
    said = bare('-m', 'hii_mm', command, src, *words, '--out', tmp_path / 'report', code=2).stderr
    assert said.startswith(f'hii-mm {command}: ')
    assert "pip install '.[attacks]'" in said
    assert not (tmp_path / 'report').exists()


def test_registering_says_what_to_install(bare):
    said = bare('-c', 'import hii_mm.register', code=1).stderr
    assert 'StackError: no mm packages found' in said
    assert "pip install '.[onedl]'" in said
