"""``hii_mm.attack`` and ``train_attack`` with attacks from outside of the package."""

import json
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import hii_mm
from helpers.attacks import figures
from hii_mm import Scheme
from hii_mm.attacks import Attack, Recovery, api
from hii_mm.attacks.base import NEEDS
from hii_mm.errors import HiiError, UsageError

SHUFFLE = Scheme(16)


@pytest.mark.parametrize('need', [need for need in NEEDS if need != 'annotations'])  # only copies have those
def test_an_attack_from_outside_gets_what_it_needs(photos, registered, need):
    seen = []

    @registered
    class Mine(Attack):
        name, source, cost = 'mine', 'a test', 'nothing'
        needs = (need,)
        main = 'ssim'

        def refuses(self, scheme):
            return None if scheme.shuffle else 'nothing was shuffled'

        def _recover(self, image, scheme, given):
            seen.append({name: len(getattr(given, name)) for name in NEEDS})
            assert given.plain_shape == (96, 96)
            return Recovery(image=image, facts={'count': len(getattr(given, need))}, confidence=0.5)

        @classmethod
        def summarise(cls, facts):
            return {'counts': [fact['count'] for fact in facts]}

        @classmethod
        def words(cls, figures):
            return f'It had {figures.facts["counts"]} and got SSIM {figures.means["ssim"]:.2f}.'

    public = [photo[::-1].copy() for photo in photos.values()][:2]
    report = hii_mm.attack(photos, SHUFFLE, attacks=['identity', 'mine'], size=0, repeats=1, public=public)
    counts = {'public': 2, 'candidates': 5, 'pairs': 1, 'views': 2, 'annotations': 0}
    assert seen == [{name: counts[name] * (name == need) for name in NEEDS}] * 3
    entry = figures(report)['mine']
    assert (entry['status'], entry['main']) == ('run', 'ssim')
    assert entry['facts'] == {'counts': [counts[need]] * 3}
    assert f'mine: It had {[counts[need]] * 3} and got SSIM 0.' in entry['verdict']
    assert 'It had [' in report.to_html()
    assert 'mine' in report.table()


@pytest.mark.parametrize(
    'need, reason',
    [
        ('public', 'needs public photos (--public)'),
        ('candidates', 'which only an owner has'),
        ('pairs', 'which only an owner has'),
        ('views', 'which only an owner has'),
        ('annotations', 'a copy made with --ann'),
    ],
)
def test_an_attack_from_outside_does_not_run_without_what_it_needs(photos, registered, need, reason):
    @registered
    class Mine(Attack):
        name, source, cost, needs = 'mine', 'a test', 'nothing', (need,)

    hidden = [SHUFFLE.plan((96, 96), np.random.default_rng(0)).apply(photos['flag'])]
    report = hii_mm.attack(hidden, SHUFFLE, attacks=['mine'], encrypted=True)
    assert reason in figures(report)['mine']['verdict']
    assert not report.ran


# training


class Pupil:
    """A trainer without torch: it counts its photos."""

    steps, labelled = 4, False
    made: ClassVar[list] = []
    last = 0.5

    def __init__(self, scheme, shape, seed=0):
        if scheme.mixup:
            raise hii_mm.errors.AttackRefusedError('taught: nothing to learn')
        self.made.append((scheme, shape, seed))

    def train(self, photos, labels=None, steps=None, progress=None):
        self.given = [photo.shape for photo in photos], labels
        count = self.steps if steps is None else steps
        for step in range(count):
            progress(step + 1, count, 'loss 1')
        return [1.0] * (count - 1) + [self.last]

    def save(self, path):
        with open(path, 'w') as file:
            json.dump(self.given, file)


@pytest.fixture
def taught(registered, monkeypatch):
    """An attack from outside that learns: it recovers what its checkpoint says."""

    class Taught(Attack):
        name, source, cost, trainer = 'taught', 'a test', 'nothing', Pupil

        def __init__(self, checkpoint=None):
            self.checkpoint = checkpoint

        def refuses(self, scheme):
            return None if self.checkpoint else 'no checkpoint'

        def _recover(self, image, scheme, given):
            with open(self.checkpoint) as file:
                return Recovery(facts={'checkpoint': json.load(file)})

    monkeypatch.setattr(Pupil, 'made', [])
    return registered(Taught)


def test_an_attack_is_trained_and_attacks_with_its_checkpoint(taught, folder, photos, tmp_path):
    seen = []
    done = api.train_attack(
        'taught',
        folder,
        SHUFFLE,
        tmp_path / 'new' / 'a.json',
        steps=3,
        seed=7,
        size=64,
        progress=lambda *a: seen.append(a),
    )
    assert (done.path, done.attack, done.scheme, done.photos) == (tmp_path / 'new' / 'a.json', 'taught', SHUFFLE, 3)
    assert done.losses == [1, 1, 0.5]
    assert Pupil.made == [(SHUFFLE, (64, 64), 7)]
    assert seen == [(1, 3, 'loss 1'), (2, 3, 'loss 1'), (3, 3, 'loss 1')]
    assert 'taught' in api.trainable()
    report = hii_mm.attack(photos, SHUFFLE, attacks=['taught'], size=0, repeats=1, checkpoints={'taught': done.path})
    assert report.data['results'][0]['facts'] == {'checkpoint': [[[96, 96, 3]] * 3, None]}
    report = hii_mm.attack(photos, SHUFFLE, attacks=['taught'], size=0, repeats=1)
    assert figures(report)['taught']['reasons'] == ['no checkpoint']


def test_labels_are_the_names_of_the_folders(taught, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(Pupil, 'labelled', True)
    for name, picture in photos.items():
        (tmp_path / 'src' / name).mkdir(parents=True)
        Image.fromarray(picture[..., 0]).save(tmp_path / 'src' / name / 'a.png')
    api.train_attack('taught', tmp_path / 'src', SHUFFLE, tmp_path / 'a.json', size=64)
    assert json.loads((tmp_path / 'a.json').read_text()) == [[[64, 64, 3]] * 3, ['face', 'flag', 'suit']]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(name='jigsaw'), 'jigsaw does not learn; choose one of'),
        (dict(name='magic'), "got 'magic'"),
        (dict(scheme=Scheme(16, strategy='mixup')), 'nothing to learn'),
        (dict(steps=0), 'steps must be at least 1'),
        (dict(seed=-1), 'seed must be at least 0'),
        (dict(size=0), 'size must be at least 1'),
        (dict(out='FOLDER'), 'must be a file, but .* is a folder'),
        (dict(out='FILE/a.pth'), 'is not a folder'),
        (dict(photos='FILE'), 'can be read'),
    ],
)
def test_training_refuses_before_it_trains(taught, folder, tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr(Pupil, 'train', lambda *given: pytest.fail('it was trained'))
    (tmp_path / 'file').write_text('')
    given = dict(name='taught', photos=folder, scheme=SHUFFLE, out=tmp_path / 'a.pth') | arguments
    for name, value in given.items():
        if isinstance(value, str):
            given[name] = value.replace('FOLDER', str(folder)).replace('FILE', str(tmp_path / 'file'))
    with pytest.raises(UsageError, match=message):
        api.train_attack(**given)
    assert not (tmp_path / 'a.pth').exists()


def test_a_training_that_diverged_writes_nothing(taught, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Pupil, 'last', float('nan'))
    with pytest.raises(HiiError, match='the last loss is nan') as error:
        api.train_attack('taught', folder, SHUFFLE, tmp_path / 'out' / 'a.pth')
    assert error.value.exit_code == 1
    assert not (tmp_path / 'out').exists()
