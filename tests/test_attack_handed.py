"""``hii-mm attack`` on what ``hii-mm encrypt`` wrote, as its owner and as a trainer."""

import json

import pytest
from PIL import Image

from hii_mm.attacks.photos import sample_photos
from hii_mm.cli import main

handover = pytest.importorskip('hii_mm.handover')
read_key, write_new_key = (
    getattr(pytest.importorskip('hii_mm.encryption.keyed'), n) for n in ('read_key', 'write_new_key')
)


@pytest.fixture(scope='module')
def owner(tmp_path_factory):
    """A folder with photos, a key, and two encrypted copies."""
    root = tmp_path_factory.mktemp('owner')
    for name, photo in sample_photos(128, ['coffee.png', 'chelsea.png', 'china.jpg', 'rocket.jpg']).items():
        (root / 'src' / 'sub').mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[:120]).save(root / 'src' / 'sub' / f'{name}.png')
    write_new_key(str(root / 'key'))
    key = read_key(str(root / 'key'))
    for name, more in (('dst', {}), ('renamed', dict(rename=True, gap=1))):
        settings = handover.Settings(size=(128, 112), fit='crop', **more)
        names = str(root / 'names.csv') if settings.rename else None
        handover.encrypt(handover.Request(str(root / 'src'), str(root / name), key, settings, name_map=names))
    return root


def attack(*words, code=0):
    assert main(['attack', *map(str, words)]) == code


def figures(out):
    report = json.loads((out / 'report.json').read_text())
    return {entry['name']: entry for entry in report['settings'][0]['attacks']}


@pytest.mark.parametrize('copy, least', [('dst', 0.9), ('renamed', 0.4)])
def test_the_owner_gets_true_figures(owner, tmp_path, copy, least):
    attack(owner / copy, '--against', owner / 'src', '--key', owner / 'key', '--out', tmp_path)
    found = figures(tmp_path)
    assert found['jigsaw']['metrics']['surviving']['mean'] > least
    assert found['jigsaw']['images'] == 4
    assert found['linkage']['metrics']['named']['mean'] == 1


def test_the_key_may_be_named_by_the_environment(owner, tmp_path, monkeypatch):
    monkeypatch.setenv('HII_MM_KEY_FILE', str(owner / 'key'))
    attack(owner / 'dst', '--against', owner / 'src', '--images', 2, '--attacks', 'jigsaw', '--out', tmp_path)
    assert figures(tmp_path)['jigsaw']['metrics']['surviving']['mean'] > 0.9


def test_without_the_key_pictures_are_compared_and_places_are_not(owner, tmp_path):
    attack(owner / 'dst', '--against', owner / 'src', '--images', 2, '--out', tmp_path)
    found = figures(tmp_path)['jigsaw']
    assert set(found['metrics']) >= {'psnr', 'ssim'}
    assert 'direct' not in found['metrics']
    assert found['images'] == 2


def test_a_trainer_sees_pictures_without_figures(owner, tmp_path):
    attack(owner / 'dst', '--out', tmp_path)
    assert figures(tmp_path)['jigsaw']['metrics'] == {}
    assert 'no truth to compare with' in (tmp_path / 'report.html').read_text()


@pytest.mark.parametrize(
    'words, message',
    [
        (['--key', 'KEY'], '--key needs --against'),
        (['--strategy', 'shuffle'], 'has a manifest that says how it was encrypted'),
        (['--against', 'SRC', '--key', 'OTHER'], 'the copy was made with the key'),
        (['--against', 'SRC', '--key', 'SRC'], 'cannot be read'),
    ],
)
def test_what_is_not_accepted(owner, tmp_path, capsys, words, message):
    other = tmp_path / 'other'
    write_new_key(str(other))
    places = {'KEY': owner / 'key', 'SRC': owner / 'src', 'OTHER': other}
    attack(owner / 'dst', *[places.get(word, word) for word in words], '--out', tmp_path / 'out', code=2)
    assert message in capsys.readouterr().err


def test_the_names_of_a_renamed_copy_need_the_key(owner, tmp_path, capsys):
    attack(owner / 'renamed', '--against', owner / 'src', '--out', tmp_path / 'out', code=2)
    assert 'needs --key to tell which picture is which' in capsys.readouterr().err
