"""The attacks that learn: they learn, load what was saved, and refuse what does not fit."""

import numpy as np
import pytest
import torch
from PIL import Image

from hii_mm.attacks import Setting, learned_edge, learning, make, parrot, position, unet
from hii_mm.attacks.metrics import Likeness
from hii_mm.attacks.mixing import mix
from hii_mm.attacks.photos import sample_photos
from hii_mm.cli import main
from hii_mm.encryption import MixupParams, ShuffleParams

RS = Setting([ShuffleParams(16, gap=1)], (96, 96))
MI = Setting([MixupParams(16, 2)], (96, 96))


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def photos():
    return list(sample_photos(96, ['chelsea.png', 'coffee.png', 'china.jpg']).values())


def quiet(line):
    pass


@pytest.mark.parametrize(
    'name, train, setting, more',
    [
        ('learned-edge', learned_edge.train, RS, {'shape': (96, 96)}),
        ('position-vit', position.train, RS, {'shape': (96, 96), 'batch': 2}),
        ('unet-inverse', unet.train, MI, {'shape': (48, 48)}),
        ('parrot', parrot.train, RS, {'labels': ['a', 'b', 'a'], 'batch': 4}),
    ],
)
def test_a_few_steps_then_save_and_load(photos, tmp_path, name, train, setting, more):
    model, about, losses = train(photos, setting, steps=3, say=quiet, **more)
    assert np.isfinite(losses).all()
    learning.save(tmp_path / 'a.pth', name, model, about)
    encrypted, _ = setting.encrypt(photos[0], np.random.default_rng(0))
    attack = make(name, checkpoint=tmp_path / 'a.pth')
    found = attack.recover(encrypted, setting)
    assert 0 <= found.confidence <= 1
    if name != 'parrot':
        assert found.image.shape == (96, 96, 3)
    for key, value in attack.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[key])
    other = Setting([ShuffleParams(12)] if setting is RS else [MixupParams(8, 2)], (96, 96))
    with pytest.raises(ValueError, match='was trained at'):
        make(name, checkpoint=tmp_path / 'a.pth').recover(other.encrypt(photos[0], np.random.default_rng(0))[0], other)
    learning.save(tmp_path / 'b.pth', 'another', model, about)
    with pytest.raises(ValueError, match=f"checkpoint of 'another', not of '{name}'"):
        make(name, checkpoint=tmp_path / 'b.pth').recover(encrypted, setting)
    with pytest.raises(ValueError, match='no checkpoint: train one'):
        make(name).recover(encrypted, setting)


def test_position_vit_learns_places_that_give_themselves_away():
    colours = np.random.default_rng(2).integers(0, 256, (4, 4, 3), np.uint8)  # borders that tell nothing
    mosaic = colours.repeat(16, axis=0).repeat(16, axis=1)
    setting = Setting([ShuffleParams(16)], (64, 64))
    torch.manual_seed(0)
    model = position.network(setting, (4, 4))
    tokens = torch.from_numpy(learning.tokens(mosaic, setting.shuffle))[None]
    learning.fit(
        model, lambda step: torch.nn.functional.cross_entropy(model(tokens)[0], torch.arange(16)), 150, quiet, 3e-3
    )
    attack = make('position-vit', checkpoint='in memory')
    attack.model = model.eval()
    encrypted, _ = setting.encrypt(mosaic, np.random.default_rng(5))
    np.testing.assert_array_equal(attack.recover(encrypted, setting).image, mosaic)
    assert (make('jigsaw').recover(encrypted, setting).image != mosaic).any()


def test_unet_inverse_can_learn_a_picture_by_heart(photos):
    params, plain = MI.mixup, photos[0].astype(np.float32)
    mixed = mix(plain, params)
    inputs = torch.from_numpy(unet.inputs(mixed, params))
    target = torch.from_numpy(plain.transpose(2, 0, 1)[None] / 127.5 - 1)
    torch.manual_seed(0)
    model = unet.network(MI)
    learning.fit(model, lambda step: (unet.corrected(model, inputs) - target).abs().mean(), 120, quiet, 5e-3)
    attack = make('unet-inverse', checkpoint='in memory')
    attack.model = model
    encrypted, _ = MI.encrypt(photos[0], None)
    scores = [
        Likeness.calculate(photos[0], a.recover(encrypted, MI).image)['psnr'] for a in (attack, make('mixup-inverse'))
    ]
    assert scores[0] > scores[1] + 1


def test_parrot_reads_shuffled_digits():
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = [np.kron(image, np.ones((4, 4))).astype(np.uint8) * 15 for image in digits.images]
    setting = Setting([ShuffleParams(8)], (32, 32))
    labels = [str(label) for label in digits.target]
    model, about, _ = parrot.train(images[:1500], setting, labels[:1500], steps=150, say=quiet, batch=64)
    attack = make('parrot', checkpoint='in memory')
    attack.model, attack.labels = model, about['labels']
    rng = np.random.default_rng(1)
    said = [attack.recover(setting.encrypt(image, rng)[0], setting).extra['labels'][0][0] for image in images[1500:]]
    assert np.mean(np.array(said) == labels[1500:]) > 0.5  # chance is 0.1
    noise = [rng.permutation(image.ravel()).reshape(32, 32) for image in images[1500:]]
    said = [attack.recover(setting.encrypt(image, rng)[0], setting).extra['labels'][0][0] for image in noise]
    assert np.mean(np.array(said) == labels[1500:]) < 0.3


def test_parrot_wants_two_classes(photos):
    with pytest.raises(ValueError, match='two or more classes'):
        parrot.train(photos, RS, ['a'] * 3, steps=1, say=quiet)


def test_gradients_give_away_pieces_and_no_order():
    photo = sample_photos(32, ['coffee.png'])['coffee']
    setting = Setting([ShuffleParams(16)], (32, 32))
    encrypted, _ = setting.encrypt(photo, np.random.default_rng(0))
    few, many = (make('gradient', steps=steps).recover(encrypted, setting) for steps in (1, 150))
    assert many.confidence > few.confidence
    assert many.places is None
    assert many.extra['bag'] < few.extra['bag']


def test_the_training_command_and_the_checkpoint_in_a_report(photos, tmp_path, capsys):
    root = tmp_path / 'photos'
    root.mkdir()
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(root / f'{number}.png')
    words = ['--public', str(root), '--strategy', 'shuffle', '--gap', '1', '--size', '96']
    checkpoint = tmp_path / 'new' / 'edge.pth'
    assert main(['attack-train', 'learned-edge', '--out', str(checkpoint), '--steps', '2', *words]) == 0
    assert 'learned-edge at RS p 16, gap 1, 3 photos' in capsys.readouterr().out
    words = [*words[2:], '--repeats', '1', '--attacks', 'jigsaw,learned-edge,position-vit']
    words += ['--checkpoint', f'learned-edge={checkpoint}', '--out', str(tmp_path / 'out')]
    assert main(['attack', str(root), *words]) == 0
    said = capsys.readouterr().out
    assert 'learned-edge: ' in said
    assert ' points of right neighbours.' in said.split('learned-edge: ')[1]
    assert said.count('Against jigsaw') == 1
    assert 'position-vit was not run: no checkpoint: train one with hii-mm attack-train position-vit' in said


@pytest.mark.parametrize(
    'words, message',
    [
        (['unet-inverse', '--strategy', 'shuffle'], 'nothing was mixed'),
        (['learned-edge', '--strategy', 'mixup'], 'nothing was shuffled'),
        (['learned-edge', '--steps', '0'], '--steps must be at least 1, got 0'),
        (['learned-edge', '--public', 'none'], 'none is not there'),
    ],
)
def test_what_the_training_command_refuses(tmp_path, capsys, words, message):
    out = tmp_path / 'a.pth'
    assert main(['attack-train', words[0], '--public', str(tmp_path), '--out', str(out), *words[1:]]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
