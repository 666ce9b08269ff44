"""The wheel holds what mim and users look for; metadata and docs are true."""

import re
import zipfile

import pytest
import yaml

from helpers import ROOT
from helpers.wheels import build, source
from hii_mm import __version__


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel, built from the files of the checkout and what earlier builds left there."""
    checkout = source(tmp_path_factory.mktemp('source'))
    wheel = zipfile.ZipFile(build(checkout, tmp_path_factory.mktemp('wheel')))
    assert not (checkout / 'hii_mm' / '.mim').exists()
    assert [path.name for path in checkout.glob('build/lib/hii_mm/.mim/*')] == ['left_over.py'], 'built elsewhere'
    return wheel


def test_the_wheel_has_configs_tools_and_the_model_index(wheel):
    names = set(wheel.namelist())
    assert min(names).startswith('+hii_mm/.mim/'), (
        'mim takes the first path, and +hii_mm is before the path of a command'
    )
    for root in ('hii_mm', '+hii_mm'):
        for path in [*ROOT.glob('configs/**/*.py'), *ROOT.glob('tools/**/*.*'), ROOT / 'model-index.yml']:
            assert '__pycache__' in path.parts or f'{root}/.mim/{path.relative_to(ROOT).as_posix()}' in names
    for path in ROOT.glob('hii_mm/**/*.py'):
        assert path.relative_to(ROOT).as_posix() in names or '.mim' in path.parts
    assert {
        'hii_mm/py.typed',
        'hii_mm/accuracy.json',
        *(path.relative_to(ROOT).as_posix() for path in ROOT.glob('hii_mm/**/*.j2')),
    } <= names
    weights = {path.name for path in ROOT.glob('zoo/weights/*.pth')}
    assert {name.rpartition('/')[2] for name in names if name.startswith('hii_mm/.mim/zoo/weights/')} == weights
    assert weights and not [name for name in names if name.startswith('+hii_mm/.mim/zoo')], 'once is enough'
    unwanted = ('tests/', 'configs/', 'tools/', 'build/')
    assert not [name for name in names if name.startswith(unwanted) or '__pycache__' in name or 'left_over' in name]


def test_the_base_install_needs_neither_torch_nor_mm(wheel):
    metadata = next(name for name in wheel.namelist() if name.endswith('METADATA'))
    text = wheel.read(metadata).decode()
    base = [line for line in text.splitlines() if line.startswith('Requires-Dist') and 'extra ==' not in line]
    names = sorted(re.match(r'Requires-Dist: (\w+)', line)[1] for line in base)
    assert names == ['cryptography', 'msgspec', 'numpy', 'pillow', 'tqdm']
    assert f'Version: {__version__}' in text
    assert {'onedl', 'openmmlab', 'dev'} <= set(re.findall(r'Provides-Extra: (\w+)', text))
    entry = next(name for name in wheel.namelist() if name.endswith('entry_points.txt'))
    assert 'hii-mm = hii_mm.cli.main:main' in wheel.read(entry).decode()


def test_the_model_index_names_files_that_are_there():
    for metafile in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        content = yaml.safe_load((ROOT / metafile).read_text())
        collections = {entry['Name'] for entry in content['Collections']}
        for model in content['Models']:
            assert model['In Collection'] in collections
            assert (ROOT / model['Config']).is_file()


def test_the_citation_and_changelog_name_this_version():
    assert yaml.safe_load((ROOT / 'CITATION.cff').read_text())['version'] == __version__
    assert f'## {__version__}' in (ROOT / 'CHANGELOG.md').read_text()


@pytest.mark.parametrize('name', ['README.md', *(str(p.relative_to(ROOT)) for p in ROOT.glob('configs/*/README.md'))])
def test_files_that_readmes_name_exist(name):
    text = (ROOT / name).read_text()
    named = set(re.findall(r'(?:configs|tools|docs|benchmarks)/[\w./-]+\.(?:py|sh|md|png|yml)', text))
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]
    links = [link for link in re.findall(r'\]\(([^)#:]+)\)', text)]
    assert not [link for link in links if not ((ROOT / name).parent / link).exists()]
