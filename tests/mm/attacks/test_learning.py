"""The attacks that learn: they learn, load what was saved, and refuse what does not fit."""

import numpy as np
import pytest
import torch

from hii_mm import Scheme
from hii_mm.attacks import Given, learning, make
from hii_mm.attacks.attackers import attack_class, position_vit, unet_inverse
from hii_mm.attacks.evaluation.likeness import Likeness
from hii_mm.attacks.evaluation.photos import sample_photos
from hii_mm.attacks.solver.pieces import tokens
from hii_mm.encryption import MixupParams, ShuffleParams
from hii_mm.encryption.mixup import average
from hii_mm.errors import AttackRefusedError, CheckpointError, InvalidValueError

RS, MI = Scheme(16, gap=1), Scheme(16, strategy='mixup')
SIZE = 96, 96


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def photos():
    return list(sample_photos(96, ['chelsea.png', 'coffee.png', 'china.jpg']).values())


def encrypt(scheme, image, seed=0):
    return scheme.plan(image.shape, np.random.default_rng(seed)).apply(image)


def trainer_of(name, scheme, shape=SIZE, seed=0):
    return attack_class(name).trainer(scheme, shape, seed)


ALL = [('position-vit', RS), ('unet-inverse', MI), ('parrot', RS)]


@pytest.mark.parametrize('name, scheme', ALL)
def test_a_few_steps_then_save_and_load(photos, tmp_path, name, scheme):
    trainer, notes = trainer_of(name, scheme), []
    losses = trainer.train(photos, ['a', 'b', 'a'], 2, lambda *step: notes.append(step))
    assert np.isfinite(losses).all()
    assert [note[:2] for note in notes] == [(1, 2), (2, 2)]
    assert notes[0][2] == f'loss {losses[0]:.4f}'
    trainer.save(tmp_path / 'a.pth')
    encrypted = encrypt(scheme, photos[0])
    attack = make(name, checkpoint=tmp_path / 'a.pth')
    found = attack.recover(encrypted, scheme, Given(SIZE))
    assert 0 <= found.confidence <= 1
    if name == 'parrot':
        assert found.image is None
        assert sorted(label for label, _ in found.facts['labels']) == ['a', 'b']
    else:
        assert found.image.shape == (*SIZE, 3)
    for key, value in attack.model.state_dict().items():
        assert torch.equal(value, trainer.model.state_dict()[key])
    other = Scheme(12) if scheme is RS else Scheme(8, strategy='mixup')
    with pytest.raises(CheckpointError, match='was trained at'):
        make(name, checkpoint=tmp_path / 'a.pth').recover(encrypt(other, photos[0]), other)


@pytest.mark.parametrize('name, scheme', ALL)
def test_the_same_seed_gives_the_same_losses(photos, name, scheme):
    runs = [trainer_of(name, scheme, seed=seed).train(photos, ['a', 'b', 'a'], 2) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize('remainder', ['pad', 'crop'])
@pytest.mark.parametrize('name', ['context', 'position-vit', 'parrot'])
def test_sizes_with_a_remainder_are_learned_too(photos, name, remainder):
    odd = [np.ascontiguousarray(photo[:90, :88]) for photo in photos]
    for scheme in (Scheme(16, gap=2, remainder=remainder), Scheme(16, strategy='both', remainder=remainder)):
        assert np.isfinite(trainer_of(name, scheme, (90, 88)).train(odd, ['a', 'b', 'a'], 1)).all()


# what is learned


def test_position_vit_learns_places_that_give_themselves_away():
    colours = np.random.default_rng(2).integers(0, 256, (4, 4, 3), np.uint8)  # borders that tell nothing
    mosaic = colours.repeat(16, axis=0).repeat(16, axis=1)
    scheme = Scheme(16)
    torch.manual_seed(0)
    model = position_vit.network(scheme, (4, 4))
    inputs = torch.from_numpy(tokens(mosaic, (16, 16)))[None]
    learning.fit(
        model, lambda step: torch.nn.functional.cross_entropy(model(inputs)[0], torch.arange(16)), 150, rate=3e-3
    )
    attack = make('position-vit', checkpoint='in memory')
    attack.model = model.eval()
    encrypted = encrypt(scheme, mosaic, 5)
    np.testing.assert_array_equal(attack.recover(encrypted, scheme).image, mosaic)
    assert (make('jigsaw').recover(encrypted, scheme).image != mosaic).any()


def test_unet_inverse_can_learn_a_picture_by_heart(photos):
    photo = np.ascontiguousarray(photos[0][:64, :64])
    plain = photo.astype(np.float32)
    inputs = torch.from_numpy(unet_inverse.inputs(average(plain, MI.mixup), MI.mixup))
    target = torch.from_numpy(plain.transpose(2, 0, 1)[None] / 127.5 - 1)
    torch.manual_seed(0)
    model = unet_inverse.network()
    learning.fit(model, lambda step: (unet_inverse.corrected(model, inputs) - target).abs().mean(), 120, rate=5e-3)
    attack, known = make('unet-inverse', checkpoint='in memory'), make('mixup-inverse')
    attack.model = model
    found = [one.recover(encrypt(MI, photo), MI).image for one in (attack, known)]
    learned, known = (Likeness.calculate(photo, image)['psnr'] for image in found)
    assert learned > known + 1


def test_parrot_reads_shuffled_digits(tmp_path):
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = [np.kron(image, np.ones((4, 4))).astype(np.uint8) * 15 for image in digits.images]
    scheme, labels = Scheme(8), [str(label) for label in digits.target]
    trainer = trainer_of('parrot', scheme, (32, 32))
    trainer.train(images[:1500], labels[:1500], 250)
    trainer.save(tmp_path / 'parrot.pth')
    attack, rng = make('parrot', checkpoint=tmp_path / 'parrot.pth'), np.random.default_rng(1)

    def right(pictures):
        encrypted = [scheme.plan(picture.shape, rng).apply(picture) for picture in pictures]
        said = [attack.recover(image, scheme).facts['labels'][0][0] for image in encrypted]
        return np.mean(np.array(said) == labels[1500:])

    assert right(images[1500:]) > 0.5  # chance is 0.1
    assert right([rng.permutation(image.ravel()).reshape(32, 32) for image in images[1500:]]) < 0.3


# refusals


@pytest.mark.parametrize(
    'name, scheme, shape, message',
    [
        ('context', MI, SIZE, 'nothing was shuffled'),
        ('position-vit', Scheme(16, orient=True), SIZE, 'pieces that are turned are not learned'),
        ('unet-inverse', RS, SIZE, 'nothing was mixed'),
        ('unet-inverse', Scheme(16, strategy='both'), SIZE, 'shuffled too'),
        ('context', RS, (0, 0), 'images of 0 x 0 .* are too small.* use at least 32 x 32'),
        ('parrot', RS, (31, 96), 'images of 31 x 96 .* are too small'),
        ('unet-inverse', MI, (31, 31), 'use at least 32 x 32, two patches of 16 x 16 a side'),
        ('position-vit', Scheme(64, strategy='both'), (127, 127), 'use at least 128 x 128'),
    ],
)
def test_schemes_and_sizes_that_cannot_be_learned(name, scheme, shape, message):
    with pytest.raises(AttackRefusedError, match=message):
        trainer_of(name, scheme, shape)


@pytest.mark.parametrize('name', ['context', 'position-vit', 'parrot'])
def test_sizes_that_cannot_be_cut_into_patches(name):
    with pytest.raises(InvalidValueError, match='not a multiple of patch_size 16 x 16'):
        trainer_of(name, RS, (100, 96))


def test_photos_and_labels_that_cannot_be_learned(photos):
    with pytest.raises(InvalidValueError, match=r"two or more classes, got \['a'\]"):
        trainer_of('parrot', RS).train(photos, ['a'] * 3, 1)
    with pytest.raises(InvalidValueError, match='a label for each of 3 photos'):
        trainer_of('parrot', RS).train(photos, ['a', 'b'], 1)
    with pytest.raises(InvalidValueError, match='photos of 96 x 96 .*, got 64 x 96'):
        trainer_of('parrot', RS).train([*photos, photos[0][:64]], list('abab'), 1)
    with pytest.raises(InvalidValueError, match='context learns from photos of .*, got none'):
        trainer_of('context', RS).train([], None, 1)
    with pytest.raises(InvalidValueError, match=r'got \(96, 96\)'):
        trainer_of('unet-inverse', MI).train([photos[0][..., 0]], None, 1)


# checkpoints


def untrained(tmp_path, scheme=RS):
    """Write the checkpoint of a training of no steps."""
    path = tmp_path / 'position-vit.pth'
    learning.save(path, 'position-vit', position_vit.network(scheme, (6, 6)), position_vit.about(scheme, (6, 6)))
    return path


def test_nothing_is_written_before_the_training(tmp_path):
    with pytest.raises(CheckpointError, match='context was not trained yet'):
        trainer_of('context', RS).save(tmp_path / 'a.pth')
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_holds_plain_values_and_weights_only(tmp_path):
    found = learning.read(untrained(tmp_path), 'position-vit')
    assert sorted(found) == ['about', 'attack', 'state_dict']
    assert found['about'] == {'core': [14, 14], 'gap': 1, 'grid': 1, 'places': [6, 6]}


@pytest.mark.parametrize(
    'content, message',
    [
        (b'no checkpoint', 'is not a checkpoint that hii-mm attack-train wrote'),
        ([1], "is a checkpoint of 'list', not of 'context'"),
        ({'attack': 'parrot'}, "is a checkpoint of 'parrot', not of 'context'"),
        ({'attack': 'context'}, 'is not a checkpoint .* .no weights, or no scheme'),
        (Scheme(16), 'is not a checkpoint that hii-mm attack-train wrote'),
    ],
)
def test_files_that_are_not_checkpoints(tmp_path, content, message):
    path = tmp_path / 'file'
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(CheckpointError, match=f'{path} {message}'):
        make('context', checkpoint=path).prepare(RS, Given())


def test_a_file_that_is_missing_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match='none'):
        learning.read(tmp_path / 'none', 'parrot')
    with pytest.raises(CheckpointError, match='no checkpoint: train one'):
        learning.read(None, 'parrot')


def test_other_weights_are_refused(tmp_path):
    scheme = Scheme(16)
    model = position_vit.network(scheme, (2, 2))
    learning.save(tmp_path / 'a', 'position-vit', model, position_vit.about(scheme, (6, 6)))
    with pytest.raises(CheckpointError, match='a holds other weights than position-vit has'):
        make('position-vit', checkpoint=tmp_path / 'a').recover(encrypt(scheme, np.zeros((*SIZE, 3), np.uint8)), scheme)


def test_position_vit_compares_the_grid_of_every_image(photos, tmp_path):
    scheme = Scheme(16)
    model, about = position_vit.network(scheme, (4, 6)), position_vit.about(scheme, (4, 6))
    learning.save(tmp_path / 'a', 'position-vit', model, about)
    attack = make('position-vit', checkpoint=tmp_path / 'a')
    wide, tall = (encrypt(scheme, np.ascontiguousarray(part)) for part in (photos[1][:64, :96], photos[1][:96, :64]))
    assert attack.recover(wide, scheme, Given((64, 96))).image.shape == (64, 96, 3)
    with pytest.raises(CheckpointError, match='a was trained at 4 x 6 places, and this image has 6 x 4'):
        attack.recover(tall, scheme, Given((96, 64)))
    assert attack.recover(wide, scheme, Given((64, 96))).image.shape == (64, 96, 3)


def test_a_checkpoint_is_for_one_mixing():
    trained, other = (Scheme.from_steps(MixupParams(side, 2), ShuffleParams(8)) for side in (16, 32))
    assert learning.setting(trained) == {'core': [8, 8], 'gap': 0, 'grid': 2, 'mixed': [16, 16]}
    assert learning.setting(trained) != learning.setting(other)


def test_torch_is_missed_with_advice(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'torch', None)
    with pytest.raises(ImportError, match='attacks that learn need torch .*Run: pip install torch'):
        learning.torch()
