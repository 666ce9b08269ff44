"""Attacks on noisy pieces: seams that are fitted to the noise, and pictures that it is taken off."""

import numpy as np
import pytest

from helpers.attacks import attack_places
from hii_mm import Scheme
from hii_mm.attacks.evaluation.cases import try_scheme
from hii_mm.attacks.evaluation.ceilings import bare_pieces, true_picture
from hii_mm.attacks.solver import seam_fitting
from hii_mm.attacks.solver.denoising import denoised
from hii_mm.attacks.solver.pieces import classes, cut
from hii_mm.attacks.solver.seam_files import setting_of
from hii_mm.attacks.solver.seams import SeamModel, seam_model
from hii_mm.attacks.solver.values import with_noise


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))  # quick fits are poor
    for name, value in dict(CROPS=24, SAMPLES=8000, ENTRIES=100_000, MOST=14).items():
        monkeypatch.setattr(seam_fitting, name, value)


def first_right(model, pieces, columns):
    """Share of the pieces whose right neighbour scores best."""
    index = np.arange(len(pieces)).reshape(-1, columns)
    best = model.scores(pieces, pieces).argmax(axis=1)
    return float((best[index[:, :-1]] == index[:, 1:]).mean())


def test_pieces_get_the_noise_of_an_owner():
    pieces = np.full((40, 12, 12, 3), 128, np.float32)
    assert with_noise(pieces, 0, rng()) is pieces
    plan = Scheme(12, noise=20).plan((60, 96), rng(1))
    owner = plan.apply(np.full((60, 96, 3), 128, np.uint8))
    for found in (with_noise(pieces, 20, rng()), owner):
        assert found.mean() == pytest.approx(128, abs=0.6) and found.std() == pytest.approx(20, abs=0.4)
    assert (pieces == 128).all()


def test_seams_that_are_fitted_to_noise_find_more_than_those_without(quick, scenes):
    scheme = Scheme(16, noise=24)
    assert setting_of(scheme) == 'rs-p16-gap0-noise24'
    model = SeamModel.fit([scenes[name] for name in ('coffee', 'rocket', 'astronaut', 'motorcycle_left')], scheme)
    assert model.setting == setting_of(scheme)
    noisy = with_noise(cut(scenes['chelsea'].astype(np.float32), (14, 14)), 24, rng(3))
    fitted, blind = (first_right(each, noisy, 14) for each in (model, seam_model(Scheme(16))))
    assert fitted > 0.2 and fitted > 2 * blind


def test_photographs_come_back_from_little_noise(quick, scenes):
    score = attack_places('jigsaw', scenes['coffee'], Scheme(16, noise=8), rng(), effort=0)
    assert score['neighbour'] > 0.5  # chance is 0.005


@pytest.mark.parametrize('scheme', [Scheme(16, noise=32), Scheme(16, gap=1, tone=True, noise=32)], ids=str)
def test_noise_is_taken_off_the_picture(scenes, scheme):
    (case,), _ = try_scheme({'coffee': scenes['coffee']}, scheme, repeats=1)
    pieces = case.plan.shuffle.invert(case.encrypted).astype(float)  # without the noise, but for what was clipped
    plain, picture = scenes['coffee'].astype(float), true_picture(case).astype(float)
    kept = ~case.plan.missing()
    assert np.square(picture - plain)[kept].mean() < 0.6 * 32**2
    assert np.square(pieces - plain)[kept].mean() < 0.15 * 32**2


def test_equal_patches_are_equal_under_their_noise(tmp_path):
    """Whichever of two white patches lies beside a third one is right, as it is without noise."""
    plain = rng(5).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    plain[32:64, 32:80] = 250
    for scheme in (Scheme(16), Scheme(16, noise=8), Scheme(16, tone=True, noise=8)):
        (case,), _ = try_scheme({'a': plain}, scheme, repeats=1)
        same = classes(bare_pieces(case, case.plan.shuffle))
        assert len(np.unique(same)) == 36 - 5  # six patches are one


def test_a_picture_without_noise_stays():
    image = rng().uniform(0, 255, (20, 30, 3)).astype(np.float32)
    assert denoised(image, 0) is image
    found = denoised(image, 16)
    assert found.dtype == np.float32 and found.shape == image.shape and not np.array_equal(found, image)
