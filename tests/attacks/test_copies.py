"""Attacks on what ``hii_mm.encrypt`` wrote, as its owner and as a trainer."""

import shutil

import pytest
from PIL import Image

import hii_mm
from hii_mm.attacks.evaluation.copies import load
from hii_mm.errors import NothingToAttackError, SourceError, UsageError

KINDS = {
    'png': (dict(orient=True), {}),
    'gap': (dict(gap=2, window=4), {}),
    'webp': ({}, dict(format='webp')),
    'jpeg': ({}, dict(format='jpeg')),
    'shards': (dict(strategy='both'), dict(format='shards')),
    'mixup': (dict(strategy='mixup'), {}),
    'drop': (dict(drop_ratio=0.25), {}),
    'sized': ({}, dict(size=(96, 80))),
    'renamed': (dict(gap=1), dict(rename=True)),
}


@pytest.fixture(scope='module')
def owner(tmp_path_factory, photos):
    """Photos, a key, copies of several kinds, and a folder in which one photo is another."""
    root = tmp_path_factory.mktemp('owner')
    (root / 'src' / 'sub').mkdir(parents=True)
    for name in ('face', 'flag'):
        Image.fromarray(photos[name][:90, :94]).save(root / 'src' / 'sub' / f'{name}.png')
    shutil.copytree(root / 'src', root / 'swapped')
    shutil.copy(root / 'src' / 'sub' / 'face.png', root / 'swapped' / 'sub' / 'flag.png')
    key = hii_mm.write_new_key(root / 'key')
    for name, (scheme, more) in KINDS.items():
        hii_mm.encrypt(
            root / 'src', root / name, key=root / 'key', scheme=hii_mm.Scheme(16, **scheme), **{'fit': 'crop'} | more
        )
    assert key.fingerprint
    return root


@pytest.mark.parametrize('key', [True, False])
@pytest.mark.parametrize('kind', [kind for kind in KINDS if kind != 'renamed'])
def test_the_plain_image_must_be_the_one_that_was_encrypted(owner, kind, key):
    key = owner / 'key' if key else None
    found, left = load(owner / kind, owner / 'src', key)
    assert (len(found), left) == (2, [])
    assert {case.plan is not None for case in found} == {key is not None}
    found, left = load(owner / kind, owner / 'swapped', key)
    if kind == 'drop' and not key:
        assert len(found) == 2  # nobody can say which patches were kept
    else:
        assert [case.name.split('.')[0] for case in found] == ['sub/face']
        assert len(left) == 1
        assert left[0].endswith('flag.png is not the image that was encrypted')


def figures(report):
    return {entry['name']: entry for entry in report.data['settings'][0]['attacks']}


@pytest.mark.parametrize('kind, least', [('sized', 0.9), ('renamed', 0.3)])
def test_the_owner_gets_true_figures(owner, kind, least):
    report = hii_mm.attack(
        owner / kind, truth=owner / 'src', key=owner / 'key', attacks=['jigsaw', 'linkage', 'known-plaintext']
    )
    found = figures(report)
    assert found['jigsaw']['metrics']['surviving']['mean'] > least
    assert found['jigsaw']['images'] == 2
    assert found['linkage']['metrics']['named']['mean'] == 1
    assert found['known-plaintext']['metrics']['surviving']['mean'] > 0.9
    assert report.data['mode'] == 'an encrypted data set, with the truth'


def test_the_key_may_be_a_key(owner):
    key = hii_mm.read_key(owner / 'key')
    report = hii_mm.attack(owner / 'gap', truth=owner / 'src', key=key, attacks=['identity'], limit=1)
    assert figures(report)['identity']['metrics']['surviving']['count'] == 1
    assert report.skipped == [f'the other images of {owner / "gap"} (limit 1)']


def test_without_the_key_images_are_compared_and_places_are_not(owner):
    found = figures(hii_mm.attack(owner / 'gap', truth=owner / 'src', attacks=['jigsaw']))['jigsaw']
    assert set(found['metrics']) >= {'psnr', 'ssim'}
    assert 'direct' not in found['metrics']


def test_a_trainer_sees_pictures_without_figures(owner):
    report = hii_mm.attack(owner / 'gap', attacks=['jigsaw', 'linkage'])
    found = figures(report)
    assert found['jigsaw']['metrics'] == {}
    assert 'There are no plain images to compare them with' in found['jigsaw']['verdict']
    assert 'only an owner has' in found['linkage']['verdict']
    assert report.data['mode'].endswith('without truth')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(key='KEY'), 'key needs truth'),
        (dict(scheme=hii_mm.Scheme(16)), 'has a manifest that states its scheme'),
        (dict(encrypted=True), 'has a manifest that states its scheme'),
        (dict(truth='SRC', key='OTHER'), 'the copy was made with the key'),
        (dict(truth='SRC', key='SRC'), 'cannot be read'),
        (dict(sweep='gap=0:1'), 'a sweep needs plain photos'),
    ],
)
def test_arguments_that_do_not_go_with_a_copy(owner, tmp_path, arguments, message):
    hii_mm.write_new_key(tmp_path / 'other')
    places = {'KEY': owner / 'key', 'SRC': owner / 'src', 'OTHER': tmp_path / 'other'}
    given = {name: places.get(value, value) if isinstance(value, str) else value for name, value in arguments.items()}
    with pytest.raises(UsageError, match=message):
        hii_mm.attack(owner / 'gap', out=tmp_path / 'out', **given)
    assert not (tmp_path / 'out').exists()


def test_the_names_of_a_renamed_copy_need_the_key(owner):
    with pytest.raises(SourceError, match='give the key'):
        hii_mm.attack(owner / 'renamed', truth=owner / 'src')


def test_a_copy_of_other_images_has_nothing_to_attack(owner, tmp_path):
    (tmp_path / 'src').mkdir()
    with pytest.raises(NothingToAttackError, match='its plain image is not in'):
        hii_mm.attack(owner / 'gap', truth=tmp_path / 'src')


def test_a_damaged_manifest_is_named(owner, tmp_path):
    shutil.copytree(owner / 'gap', tmp_path / 'copy')
    manifest = tmp_path / 'copy' / 'manifest.json'
    manifest.write_text(manifest.read_text().replace('"gap": 2', '"gap": 3'))
    with pytest.raises(SourceError, match='manifest'):
        hii_mm.attack(tmp_path / 'copy', attacks=['identity'])


def test_a_report_is_not_written_into_a_copy(owner):
    with pytest.raises(UsageError, match='inside the encrypted copy'):
        hii_mm.attack(owner / 'gap', out=owner / 'gap' / 'report')
    assert not (owner / 'gap' / 'report').exists()
