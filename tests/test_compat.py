"""Set-ups that are right, wrong or none, as fresh processes see them."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from hii_mm import compat

LIGHT = (
    "import sys, {}; print(sorted({{m.split('.')[0] for m in sys.modules}} & {{'torch', 'mmengine', 'mmcv', 'cv2'}}))"
)


@pytest.mark.parametrize('module', ['hii_mm', 'hii_mm.encryption', 'hii_mm.cli', 'hii_mm.preview', 'hii_mm.compat'])
def test_importing_it_loads_neither_torch_nor_mm(run, module):
    assert run('-c', LIGHT.format(module)).stdout.strip() == '[]'


def distribution(folder, name, number='9.9'):
    """Make a distribution's metadata, as pip would leave it."""
    info = folder / f'{name.replace("-", "_")}-{number}.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n')


def other_stack():
    mine = compat.find_stack()[0]
    return mine, 'openmmlab' if mine == 'onedl' else 'onedl'


@pytest.mark.parametrize('words', [['-m', 'hii_mm.cli', 'doctor'], ['tools/train.py', 'configs/vit/any.py']])
def test_two_stacks_are_refused_by_name(run, tmp_path, words):
    mine, other = other_stack()
    distribution(tmp_path, compat.STACKS[other][0])
    done = run(*words, code=1, env={'PYTHONPATH': str(tmp_path)})
    said = done.stdout + done.stderr
    assert 'two sets of mm packages overwrite each other here' in said
    assert f'{compat.STACKS[other][0]} 9.9' in said
    assert f'{compat.STACKS[mine][0]} {version(compat.STACKS[mine][0])}' in said
    assert "pip install '.[onedl]'" in said


@pytest.fixture(scope='module')
def bare(tmp_path_factory):
    """Python with NumPy, Pillow and hii_mm, and nothing else: an isolated path, no site-packages."""
    import numpy
    import PIL

    folder = tmp_path_factory.mktemp('bare')
    for package in (numpy, PIL):
        source = os.path.dirname(package.__file__)
        os.symlink(source, folder / os.path.basename(source))
        libs = f'{os.path.basename(source).lower().replace("pil", "pillow")}.libs'
        if os.path.isdir(os.path.join(os.path.dirname(source), libs)):
            os.symlink(os.path.join(os.path.dirname(source), libs), folder / libs)
    os.symlink(os.path.dirname(compat.__file__), folder / 'hii_mm')

    def _bare(*words):
        env = dict(os.environ, PYTHONPATH=str(folder))
        return subprocess.run([sys.executable, '-S', *words], env=env, capture_output=True, text=True, cwd=folder)

    return _bare


def test_encryption_works_without_torch_and_mm(bare, tmp_path, photo):
    from PIL import Image

    Image.fromarray(photo).save(tmp_path / 'a.png')
    done = bare('-m', 'hii_mm.cli', 'preview', str(tmp_path / 'a.png'), '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'a_preview.png').is_file()


def test_no_stack_says_what_to_install(bare):
    done = bare('-m', 'hii_mm.cli', 'doctor')
    assert done.returncode == 1
    assert 'found none of onedl-mmengine, onedl-mmcv, onedl-mmdetection, onedl-mmpretrain' in done.stdout
    assert "Run: pip install '.[onedl]'" in done.stdout
    done = bare('-c', 'import hii_mm.register')
    assert done.returncode == 1
    assert 'hii_mm.compat.StackError: hii_mm needs the mm packages' in done.stderr


def test_doctor_is_content_here(run):
    done = run('-m', 'hii_mm.cli', 'doctor')
    lines = {line[6:].split()[0]: line for line in done.stdout.splitlines() if line.startswith(('ok', 'note', 'FAIL'))}
    assert not [line for line in lines.values() if line.startswith('FAIL')]
    for scope in ('root', 'mmdet', 'mmpretrain'):
        assert 'PatchShuffle' in lines[scope]
        assert 'PEViT' in lines[scope]
    assert 'PatchCutMix' in lines['mmpretrain']
    assert 'PatchCutMix' not in lines['mmdet']
    assert done.stdout.rstrip().endswith('all is well')


def test_the_stand_in_says_which_op_was_called(run):
    code = (
        'from hii_mm import compat; compat.prepare(); print(compat.ops_kind());'
        'import torch; from mmcv.ops import nms; nms(torch.zeros(1, 4), torch.zeros(1), 0.5)'
    )
    if compat.ops_kind() == 'compiled':
        pytest.skip('mmcv has its compiled ops here')
    done = run('-c', code, code=1)
    assert done.stdout.strip().splitlines()[-1] == 'stand-in'
    assert "mmcv op 'nms' was called, but mmcv was installed without its compiled ops" in done.stderr


def test_a_scoped_name_needs_no_custom_imports(run):
    code = (
        'from hii_mm import compat; compat.prepare();'  # mmdet needs the stand-in; nothing is registered by this
        "from mmengine.registry import init_default_scope; init_default_scope('{0}');"
        "from {0}.registry import TRANSFORMS; print(TRANSFORMS.build(dict(type='hii_mm.PatchShuffle', patch_size=8)))"
    )
    for scope in ('mmpretrain', 'mmdet'):
        assert 'patch_size=(8, 8)' in run('-c', code.format(scope)).stdout


@pytest.mark.parametrize('first', ['hii_mm.encryption', 'mmengine'])
@pytest.mark.parametrize('config', ['hii_mm.register', 'hii_mm'])
def test_custom_imports_register_bare_names(run, tmp_path, first, config):
    """'hii_mm' alone does so only where mmengine was imported first, as in every host's tools."""
    (tmp_path / 'c.py').write_text(f"custom_imports = dict(imports=['{config}'], allow_failed_imports=False)\n")
    code = (
        f'import {first}; from mmengine.config import Config; Config.fromfile({str(tmp_path / "c.py")!r});'
        "from mmengine.registry import TRANSFORMS; print('PatchShuffle' in TRANSFORMS.module_dict)"
    )
    done = run('-c', code)
    assert done.stdout.split()[-1] == str(config == 'hii_mm.register' or first == 'mmengine')
