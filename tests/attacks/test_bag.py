"""Bag: features without order, the regression against its gradient, and labels, colours and faces of single pieces."""

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks import Figures, make
from hii_mm.attacks.attackers.bag import Bag, BagTrainer
from hii_mm.attacks.solver import bagging, logistic
from hii_mm.attacks.solver.histograms import bag_of, colour_shares, flat_share
from hii_mm.attacks.solver.single import busy, faces_in
from hii_mm.errors import AttackRefusedError, CheckpointError, InvalidValueError

SCHEMES = [
    Scheme(16),
    Scheme(16, gap=2),
    Scheme(16, strategy='both'),
    Scheme(16, strategy='mixup'),
    Scheme(16, orient=True),
]
STRIPED = np.tile(np.array([40, 40, 210, 210], np.uint8), 16)[None, :, None].repeat(64, 0).repeat(3, 2)


def pictures(count, seed=0):
    """Return noisy pictures, stripes from top to bottom or from left to right, and the names of the two."""
    rng, found, labels = np.random.default_rng(seed), [], []
    for number in range(count):
        plain = STRIPED if number % 2 else STRIPED.swapaxes(0, 1)
        found.append((plain + rng.normal(0, 20, plain.shape)).clip(0, 255).astype(np.uint8))
        labels.append(['lying', 'upright'][number % 2])
    return found, labels


def test_the_order_of_pieces_plays_no_part():
    pieces = np.random.default_rng(0).uniform(0, 255, (30, 12, 12, 3)).astype(np.float32)
    assert (bag_of(pieces) == bag_of(pieces[::-1])).all()
    assert (bag_of(pieces**1.1) != bag_of(pieces)).any()


def test_turned_pieces_have_no_directions():
    pieces = STRIPED[None, :16, :16].astype(np.float32)
    turned = pieces.swapaxes(1, 2)
    assert np.abs(bag_of(pieces) - bag_of(turned)).max() > 0.5
    assert np.abs(bag_of(pieces, True)[:-8] - bag_of(turned, True)[:-8]).max() < 1e-6


@pytest.mark.parametrize('shape', [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_pieces_of_few_pixels_have_finite_features_of_one_length(shape):
    found = bag_of(np.zeros((3, *shape, 3), np.float32))
    assert found.shape == bag_of(np.zeros((2, 16, 16, 3), np.float32)).shape
    assert np.isfinite(found).all()


def test_regression_stands_where_its_numeric_gradient_vanishes():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    weights = logistic.fit(x, y, 3, 0.1, 500)

    def loss(w):
        share = logistic.chances(x, w)
        return -np.log(share[np.arange(40), y]).mean() + 0.05 * (w[:-1] ** 2).sum()

    for index in np.ndindex(weights.shape):
        step = np.zeros_like(weights)
        step[index] = 1e-4
        assert abs(loss(weights + step) - loss(weights - step)) / 2e-4 < 1e-3
    assert logistic.chances(x, weights).sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize('scheme', SCHEMES[:4], ids=lambda scheme: scheme.label)
def test_labels_come_back_at_every_scheme_and_not_where_labels_are_random(scheme, tmp_path):
    trainer = BagTrainer(scheme, (64, 64))
    losses = trainer.train(*pictures(12))
    assert losses[-1] < losses[0]
    trainer.save(tmp_path / 'bag.npz')
    attack, rng = make('bag', checkpoint=str(tmp_path / 'bag.npz')), np.random.default_rng(5)
    for photo, label in zip(*pictures(4, seed=9)):
        found = attack.recover(scheme.plan(photo.shape, rng).apply(photo), scheme)
        assert found.facts['labels'][0][0] == label
        assert found.confidence > 0.8
        assert found.image is None
    flat = np.full((64, 64, 3), 128, np.uint8)
    assert attack.recover(scheme.plan(flat.shape, rng).apply(flat), scheme).confidence < 0.95


def test_checkpoints_of_other_schemes_and_other_files_are_refused(tmp_path):
    trainer = BagTrainer(SCHEMES[0], (64, 64))
    with pytest.raises(CheckpointError, match='not trained yet'):
        trainer.save(tmp_path / 'bag.npz')
    trainer.train(*pictures(4), steps=2)
    trainer.save(tmp_path / 'bag.npz')
    with pytest.raises(CheckpointError, match='was trained at RS p 16'):
        bagging.read(tmp_path / 'bag.npz', SCHEMES[1])
    (tmp_path / 'other').write_bytes(b'no')
    np.savez(tmp_path / 'empty.npz')
    for name in ('other', 'empty.npz'):
        with pytest.raises(CheckpointError, match='is not a checkpoint'):
            bagging.read(tmp_path / name, SCHEMES[0])
    with pytest.raises(InvalidValueError, match="two or more classes, got \\['lying'\\]"):
        trainer.train(pictures(2)[0], ['lying', 'lying'])
    with pytest.raises(AttackRefusedError, match='do not hold a patch'):
        BagTrainer(SCHEMES[0], (8, 64))


def test_colours_and_flat_pieces_are_named():
    pieces = np.zeros((4, 8, 8, 3), np.float32)
    pieces[0], pieces[1] = (200, 30, 30), (60, 140, 50)
    pieces[2, ::2] = 255
    assert colour_shares(pieces) == pytest.approx({'black': 0.375, 'red': 0.25, 'green': 0.25, 'white': 0.125})
    assert flat_share(pieces) == 0.75


def test_only_pieces_of_one_colour_are_left_out():
    pieces = np.full((4, 16, 16, 3), 90, np.float32)
    pieces[1, 4:8, 4:12, 2] += 30  # a stroke in one channel
    pieces[2] = STRIPED[:16, :16]
    assert np.array_equal(busy(pieces), pieces[1:3])
    assert faces_in(pieces[:1]) == 0


def test_a_face_within_a_piece_is_found_and_not_half_of_one(photo):
    face = photo[40:200, 150:310]
    pieces = np.stack([face, photo[340:500, 20:180]]).astype(np.float32)
    assert faces_in(pieces) == 1
    assert faces_in(np.stack([face[:80, :80], face[80:, 80:]]).astype(np.float32)) == 0
    assert faces_in(pieces[:, :8, :8]) == 0


def test_without_a_checkpoint_it_tells_colours_and_says_so():
    found = [make('bag').recover(photo, SCHEMES[0]) for photo in pictures(2)[0]]
    assert all('labels' not in run.facts for run in found)
    facts = Bag.summarise([run.facts for run in found])
    said = Bag.words(Figures({}, {}, {}, facts))
    assert said.startswith('In no order the pieces show the colours (')
    assert 'Found within single pieces: faces: 0' in said
    assert Bag.words(Figures({}, {}, {}, Bag.summarise([]))) is None


def test_words_name_the_labels():
    run = {'colours': [['red', 1.0]], 'flat': 0.25, 'faces': 1, 'text': ['exit'], 'labels': [['cat', 0.9]]}
    said = Bag.words(Figures({}, {}, {}, Bag.summarise([run, run])))
    assert said == (
        'It read the labels "cat" (2) from the pieces in no order. In no order the pieces show the colours (red 100%); '
        '25% of them show nothing else. Found within single pieces: faces: 2, texts: 2. It returns no picture.'
    )
