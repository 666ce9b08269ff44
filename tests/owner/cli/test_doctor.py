"""``hii-mm doctor`` where the mm packages are missing or mixed up."""

import pytest


def distribution(folder, name, number='9.9'):
    """Write a distribution's metadata, as pip would leave it."""
    info = folder / f'{name.replace("-", "_")}-{number}.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n')


def test_without_a_stack_it_says_what_to_install(bare):
    said = bare('-m', 'hii_mm', 'doctor', code=1).stdout
    assert said.startswith('ok    hii_mm ')
    assert 'onedl-mmengine, onedl-mmcv, onedl-mmdetection, onedl-mmpretrain' in said
    assert "Run: pip install '.[onedl]'" in said
    assert 'note  owner          hii-mm keygen, encrypt, verify, decrypt and preview need none of this' in said
    assert said.endswith('\n1 problem found\n')


def test_without_a_stack_it_needs_no_numpy(bare):
    code = (
        'import sys\nfrom hii_mm.cli.main import main\nassert main(["doctor"]) == 1\nassert "numpy" not in sys.modules'
    )
    bare('-c', code)


def test_two_stacks_are_refused_by_name(bare, tmp_path):
    for name in ('onedl-mmengine', 'mmengine'):
        distribution(tmp_path, name)
    path = f'{tmp_path}:{bare.path}'
    said = bare('-m', 'hii_mm', 'doctor', code=1, env={'PYTHONPATH': path}).stdout
    assert 'two sets of mm packages overwrite each other here: onedl-mmengine 9.9 and mmengine 9.9' in said
    assert 'pip uninstall -y onedl-mmengine mmengine' in said
    assert "pip install '.[onedl]'" in said


@pytest.mark.parametrize('missing', ['torch', 'torchvision'])
def test_a_stack_without_torch(bare, tmp_path, missing):
    for name in {'onedl-mmengine', 'torch', 'torchvision'} - {missing}:
        distribution(tmp_path, name)
    said = bare('-m', 'hii_mm', 'doctor', code=1, env={'PYTHONPATH': f'{tmp_path}:{bare.path}'}).stdout
    assert 'ok    stack          onedl: onedl-mmengine 9.9' in said
    assert f'FAIL  {missing:14} not installed\n      -> pip install {missing}' in said


def test_a_torch_that_cannot_be_imported(bare, tmp_path):
    for name in ('onedl-mmengine', 'torch', 'torchvision'):
        distribution(tmp_path, name)
    (tmp_path / 'torch.py').write_text("raise OSError('libcudart is missing')")
    said = bare('-m', 'hii_mm', 'doctor', code=1, env={'PYTHONPATH': f'{tmp_path}:{bare.path}'}).stdout
    assert 'FAIL  torch          torch 9.9, torchvision 9.9 cannot be imported: libcudart is missing' in said
    assert 'install versions of torch and torchvision that match' in said
