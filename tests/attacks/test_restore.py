"""Restoring: the smoothest picture against a dense solve, nothing across wrong seams, and what is known stays."""

import numpy as np
import pytest

from hii_mm import Scheme
from hii_mm.attacks.evaluation.likeness import Likeness
from hii_mm.attacks.solver.grids import patch_grid, place_shape
from hii_mm.attacks.solver.layout import colours, fitted
from hii_mm.attacks.solver.pieces import as_rgb, cut
from hii_mm.attacks.solver.restore import restore
from hii_mm.attacks.solver.smooth import seam_weights, smoothest
from hii_mm.encryption import MixupParams
from hii_mm.encryption.mixup import average, spread


def arranged(photo, scheme, seed=0):
    """Return the pieces of a photo, and their true places and turns."""
    plan = scheme.plan(photo.shape, np.random.default_rng(seed))
    encrypted, shuffle = plan.apply(photo), plan.shuffle
    pieces = cut(as_rgb(encrypted), place_shape(scheme, encrypted.shape))
    places = np.full(patch_grid(scheme, photo.shape), -1)
    places.ravel()[shuffle.permutation] = np.arange(len(pieces))
    return pieces, places


def differences(height, width, seams):
    """Return weighted differences of neighbouring pixels as a matrix (differences, pixels)."""
    index, rows = np.arange(height * width).reshape(height, width), []
    for axis, weights in enumerate(seams):
        ends = (index[:-1], index[1:]) if axis == 0 else (index[:, :-1], index[:, 1:])
        for one, two, weight in zip(*(part.ravel() for part in (*ends, weights[..., 0]))):
            row = np.zeros(height * width)
            row[one], row[two] = -np.sqrt(weight), np.sqrt(weight)
            rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize('mixed', [False, True])
@pytest.mark.parametrize('bend', [0, 1])
def test_the_smoothest_picture_is_that_of_a_dense_solve(mixed, bend):
    rng = np.random.default_rng(0)
    mixup = MixupParams(4, 2) if mixed else None
    truth = rng.uniform(0, 255, (8, 12, 1)).astype(np.float32)
    known = (rng.random((4, 6, 1) if mixed else truth.shape) < 0.6).astype(np.float32)
    seams = seam_weights(rng.random((2, 3)), np.ones((2, 3), bool), (4, 4))
    start = spread(average(truth, mixup), mixup) if mixed else truth.copy()
    found = smoothest(start, known, mixup, seams, steps=1000, rounds=0, bend=bend)

    matrix = np.eye(96).reshape(8, 12, 96)
    told = average(matrix, mixup) if mixed else matrix
    told = told.reshape(-1, 96)[known.ravel() > 0]
    rough = differences(8, 12, seams)
    pull = rough.T @ rough
    pull = pull + bend * pull @ pull
    system = np.block([[pull, told.T], [told, np.zeros((len(told),) * 2)]])
    expected = np.linalg.lstsq(system, np.concatenate([np.zeros(96), told @ start.ravel()]), rcond=None)[0][:96]
    assert np.abs(found.ravel() - expected).max() < 0.5
    assert np.abs(told @ (found - start).ravel()).max() < 1e-2


def test_seams_weigh_as_the_less_certain_side_and_empty_places_take_from_around():
    certainty = np.array([[0.9, 0.4], [0.8, 0.0]])
    filled = np.array([[True, True], [True, False]])
    down, across = seam_weights(certainty, filled, (2, 3))
    assert down.shape == (3, 6, 1)
    assert across.shape == (4, 5, 1)
    assert across[:2, 2] == pytest.approx(0.4)
    assert down[1, :3] == pytest.approx(0.8)
    assert across[2:, 2] == pytest.approx(0.8)
    assert down[1, 3:] == pytest.approx(0.4)
    assert (np.delete(down, 1, axis=0) == 1).all()
    assert (np.delete(across, 2, axis=1) == 1).all()


@pytest.mark.parametrize('parameters', [dict(gap=2), dict(strategy='both'), dict(strategy='both', gap=1)])
def test_a_wrong_neighbour_changes_little_of_a_piece_and_a_right_one_much(photos, parameters):
    scheme = Scheme(16, **parameters)
    pieces, places = arranged(photos['face'], scheme)
    pieces = pieces[places[2, 2:4]]
    black = np.concatenate([pieces[:1], np.zeros_like(pieces[1:])])
    places, changes = np.array([[0, 1]]), []
    for certainty in (np.zeros((1, 2)), np.ones((1, 2))):
        one, two = (restore(each, places, None, scheme, None, certainty).image for each in (pieces, black))
        changes.append(np.abs(one[:, 12:16].astype(int) - two[:, 12:16]).mean())
    assert changes[0] < 1  # not 0: one search for all, which ends at a mean error
    assert changes[1] > 5 * changes[0] + 5


@pytest.mark.parametrize('parameters', [{}, dict(gap=2), dict(drop_ratio=0.5), dict(gap=1, drop_ratio=0.25)])
def test_known_pixels_stay_and_raw_has_nothing_else(photos, parameters):
    photo, scheme = photos['face'], Scheme(16, **parameters)
    pieces, places = arranged(photo, scheme)
    raw, image = restore(pieces, places, None, scheme, photo.shape[:2])
    gap = parameters.get('gap', 0)
    core = np.zeros((6, 16, 6, 16), bool)
    core[:, gap : 16 - gap, :, gap : 16 - gap] = (places >= 0)[:, None, :, None]
    core = core.reshape(96, 96)
    assert (raw[core] == photo[core]).all()
    assert (image[core] == photo[core]).all()
    assert (raw[~core] == 0).all()
    if (~core).any():
        assert Likeness.calculate(photo, image)['psnr'] > Likeness.calculate(photo, raw)['psnr'] + 5


def test_mixed_pieces_mix_to_themselves_again_and_come_nearer_to_the_photo(photos):
    photo, scheme = photos['face'], Scheme(16, strategy='both')
    pieces, places = arranged(photo, scheme)
    raw, image = restore(pieces, places, None, scheme, photo.shape[:2])
    again = cut(average(image.astype(np.float32), scheme.mixup), places.shape)
    assert np.abs(again - pieces[places.ravel()]).mean() < 0.5
    assert raw.shape == photo.shape
    assert (raw[:16:2, :16:2] == pieces[places[0, 0]]).all()
    flat = pieces[places.ravel()].mean(axis=(1, 2)).reshape(6, 6, 3).repeat(16, 0).repeat(16, 1)
    mosaic = Likeness.calculate(photo, flat)
    assert Likeness.calculate(photo, image)['psnr'] > mosaic['psnr'] + 1


def test_empty_places_take_colours_from_around():
    means = np.zeros((1, 5, 1), np.float32)
    means[0, 0], means[0, 4] = 40, 80
    found = colours(means, np.array([[True, False, False, False, True]]))
    assert found[0, :, 0] == pytest.approx([40, 50, 60, 70, 80], abs=2)


def test_pictures_are_cut_and_padded_to_their_size():
    picture = np.array([[[1.4], [300.0]], [[-3.0], [0.6]]])
    assert fitted(picture, (1, 3))[..., 0].tolist() == [[1, 255, 255]]
    assert fitted(picture, (3, 2))[..., 0].tolist() == [[1, 255], [0, 1], [0, 1]]


def test_padding_goes_and_what_was_cropped_repeats_the_border(photos):
    photo = photos['face'][:90, :94]
    for remainder in ('pad', 'crop'):
        scheme = Scheme(16, remainder=remainder)
        pieces, places = arranged(photo, scheme)
        image = restore(pieces, places, None, scheme, photo.shape[:2]).image
        assert image.shape == photo.shape
        assert (image[:80, :80] == photo[:80, :80]).all()
