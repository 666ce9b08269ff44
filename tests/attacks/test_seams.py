"""Seam models: densities against an oracle, planted seams, files, cache, and what is shipped."""

import numpy as np
import pytest
from PIL import Image
from scipy.stats import multivariate_t

from hii_mm import Scheme
from hii_mm.attacks.solver import seam_fitting
from hii_mm.attacks.solver.classic import as_lab, classic
from hii_mm.attacks.solver.packaged import packaged_photos
from hii_mm.attacks.solver.pieces import before_shuffle, plain_cores
from hii_mm.attacks.solver.seam_files import SHIPPED, setting_of
from hii_mm.attacks.solver.seam_weights import questions
from hii_mm.attacks.solver.seams import SeamModel, posteriors, seam_model
from hii_mm.attacks.solver.student import StudentT, fit_density, log_density
from hii_mm.attacks.solver.windows import Window, contrasts, level_free, log_ratio, sides
from hii_mm.errors import CheckpointError, InvalidValueError
from hii_mm.files import sha256_file


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def quick(monkeypatch):
    """Fit to few crops."""
    monkeypatch.setattr(seam_fitting, 'CROPS', 12)
    monkeypatch.setattr(seam_fitting, 'SAMPLES', 4000)
    monkeypatch.setattr(seam_fitting, 'ENTRIES', 100_000)
    monkeypatch.setattr(seam_fitting, 'MOST', 14)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    return tmp_path / 'hii-mm' / 'seams'


def pieces_of(photo, scheme):
    image = before_shuffle(photo, scheme).round()
    pieces = plain_cores(image, scheme.shuffle)
    side = scheme.shuffle.patch_size
    return pieces, np.arange(len(pieces)).reshape(image.shape[0] // side[0], image.shape[1] // side[1])


def first_right(scores, index):
    """Share of right neighbours that are ranked first."""
    scores = scores.copy()
    np.fill_diagonal(scores, -np.inf)
    return np.mean(scores[index[:, :-1]].argmax(axis=-1) == index[:, 1:])


def blurred(seed, side, coarse):
    """A smooth random picture, (side, side, 3) uint8."""
    small = rng(seed).integers(0, 256, (coarse, coarse, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def flipped(seed, side=112, patch=8):
    """A smooth picture whose every other patch is a negative: nothing goes on across a seam."""
    picture, odd = blurred(seed, side, side // 6), np.indices((side, side)).sum(axis=0) * 0
    odd += (np.arange(side)[:, None] // patch + np.arange(side) // patch) % 2
    return np.where(odd[..., None] > 0, 255 - picture, picture).astype(np.uint8)


def t_of(seed, size):
    root = rng(seed).normal(size=(size, size))
    return rng(seed).normal(size=size), root @ root.T + np.eye(size)


@pytest.mark.parametrize('window', [Window(1, 1), Window(2, 3), Window(4, 1)])
def test_the_log_ratio_of_a_pair_is_the_sum_of_log_densities(window):
    left, right = rng(1).uniform(0, 255, (2, 3, 6, 5, 3)).astype(np.float32)
    laws, densities = [], []
    for seed, freedom in ((2, 1.5), (3, 4.0)):
        mean, scatter = t_of(seed, window.size)
        laws.append(multivariate_t(mean + 120, scatter * 900, freedom))
        offset = laws[-1].logpdf(mean + 120)
        densities.append(StudentT(mean + 120, np.linalg.inv(scatter * 900), freedom, offset, window.size))
    found = log_ratio(left, right, window, *densities)
    for i, j in ((0, 1), (2, 0), (1, 1)):
        expected = 0.0
        for row in range(6 - window.rows + 1):
            ends = left[i, row : row + window.rows, -window.columns :], right[j, row : row + window.rows]
            values = [end[:, : window.columns].transpose(1, 2, 0).ravel() for end in ends]  # columns, channels, rows
            expected += laws[0].logpdf(np.concatenate(values)) - laws[1].logpdf(np.concatenate(values))
        assert found[i, j] == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_contrast_multiplies_the_scatter_of_what_is_free_of_the_level():
    window = Window(2, 1, contrast=True)
    basis = level_free(window)
    assert basis.shape == (9, 12)
    left, right = rng(1).uniform(0, 255, (2, 2, 4, 5, 3)).astype(np.float32)
    scatter = t_of(2, 9)[1]
    law = StudentT(np.zeros(12), basis.T @ np.linalg.inv(scatter) @ basis, 3.0, 0.0, 9)
    law = law._replace(offset=multivariate_t(np.zeros(9), scatter, 3).logpdf(np.zeros(9)))
    (a, b), scales = sides(left, right, window), contrasts(left, right, window)
    found = log_density(a, b, law, scales)
    expected = sum(
        multivariate_t(np.zeros(9), scatter * (scales[0][0, row] + scales[1][1, row]) / 2, 3).logpdf(
            basis @ np.concatenate([a[0, row], b[1, row]])
        )
        for row in range(4)
    )
    assert found[0, 1] == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(log_density(a + 9, b + 9, law, scales), found, rtol=1e-3)  # the level does not matter


@pytest.mark.parametrize('freedom', [2.0, 5.0])
def test_a_planted_density_is_found(freedom):
    mean, scatter = t_of(4, 6)
    found = fit_density(multivariate_t(mean, scatter, freedom).rvs(20_000, random_state=rng()))
    assert found.freedom == freedom
    np.testing.assert_allclose(np.linalg.inv(found.precision), scatter, rtol=0.25, atol=0.6)


def test_the_prediction_without_a_slope_sums_roots_of_differences_of_borders():
    left, right = rng(3).uniform(0, 255, (2, 4, 5, 3, 3)).astype(np.float32)
    found = classic(left, right, 0)[3]
    for i, j in ((0, 0), (3, 1)):
        jump = as_lab(left[i : i + 1, :, -1:]) - as_lab(right[j : j + 1, :, :1])
        assert found[i, j] == pytest.approx(-np.log(np.sqrt(np.abs(jump)).sum() + 1), rel=1e-5)


def test_questions_hold_all_candidates_of_both_sides_of_a_seam():
    measures, seams = rng(5).normal(size=(2, 5, 5)).astype(np.float32), np.array([[1, 3], [4, 0]])
    features, targets = questions(measures, seams[:1], 1, rng())
    assert features.shape == (2, 4, 4) and targets.tolist() == [2, 1]  # piece 3 without 1, piece 1 without 3
    for number, own in ((0, 1), (1, 3)):
        for row, other in enumerate(piece for piece in range(5) if piece != own):
            a, b = (own, other) if number == 0 else (other, own)
            for k in range(2):
                best_right = max(measures[k, a, c] for c in range(5) if c != a)
                best_left = max(measures[k, c, b] for c in range(5) if c != b)
                assert features[number, row, k] == measures[k, a, b]
                relative = 2 * measures[k, a, b] - best_right - best_left
                assert features[number, row, 2 + k] == pytest.approx(relative, rel=1e-5, abs=1e-6)
    assert len(questions(measures, seams, 2, rng()).targets) == 4


def test_only_the_fitted_model_can_tell_seams_that_do_not_go_on(quick):
    scheme = Scheme(8)
    model = SeamModel.fit([flipped(seed) for seed in range(12)], scheme)
    pieces, index = pieces_of(flipped(99), scheme)
    assert first_right(model.scores(pieces, pieces), index) > 0.7
    assert first_right(np.sum(classic(pieces, pieces, 0), axis=0), index) < 0.1


def test_shuffled_photographs_teach_nothing(quick, scenes):
    scheme, names = Scheme(16), ['coffee', 'rocket', 'astronaut', 'motorcycle_left']
    shuffled = [scheme.plan((224, 224), rng(i)).apply(scenes[name]) for i, name in enumerate(names)]
    pieces, index = pieces_of(scenes['chelsea'], scheme)
    chances = []
    for photos in ([scenes[name] for name in names], shuffled):
        scores = SeamModel.fit(photos, scheme).scores(pieces, pieces)
        both = posteriors(scores, (index.ravel(), index.ravel()))
        chances.append(np.exp(both[index[:, :-1], index[:, 1:]].mean() / 2) * len(pieces))
    assert chances[0] > 10 and chances[1] < 2  # 1 is chance


def test_noise_scores_chance():
    scheme = Scheme(16)
    pieces, index = pieces_of(rng().integers(0, 256, (224, 224, 3), dtype=np.uint8), scheme)
    assert first_right(seam_model(scheme).scores(pieces, pieces), index) < 0.04


def test_measures_are_centred_and_fitted_alike_by_the_same_seed(quick, scenes):
    photos, scheme = [scenes['coffee'], scenes['rocket']], Scheme(32, strategy='both', grid=4)
    one, two = SeamModel.fit(photos, scheme), SeamModel.fit(photos, scheme)
    pieces, _ = pieces_of(scenes['chelsea'], scheme)
    measures = one.measures(pieces, pieces[:20])
    assert measures.shape == (len(one.names), 49, 20) and measures.dtype == np.float32
    np.testing.assert_allclose(measures.mean(axis=(1, 2)), 0, atol=1e-3)
    np.testing.assert_array_equal(measures, two.measures(pieces, pieces[:20]))
    other = SeamModel.fit(photos, scheme, seed=1)
    assert not np.array_equal(measures, other.measures(pieces, pieces[:20]))


def test_a_cached_model_is_read_back_and_a_damaged_one_fitted_anew(quick, cache, scenes, monkeypatch):
    photos, scheme = [scenes['coffee'], scenes['rocket']], Scheme(16, gap=6)
    pieces, _ = pieces_of(scenes['chelsea'], scheme)
    scores = seam_model(scheme, photos).scores(pieces, pieces)
    (file,) = cache.iterdir()
    content = file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(SeamModel, 'fit', None)
        again = seam_model(Scheme(16, gap=6, drop_ratio=0.5, orient=True), photos)  # the seams are the same
        np.testing.assert_array_equal(again.scores(pieces, pieces), scores)
        with pytest.raises(TypeError):
            seam_model(scheme, photos[:1])  # other photos, another model
    for damaged in (content[:-20], content[:200], b'', content.replace(b'PK', b'XX')):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(seam_model(scheme, photos).scores(pieces, pieces), scores)
        assert file.read_bytes() == content


def test_a_cache_that_cannot_be_written_costs_time_only(quick, monkeypatch, tmp_path, scenes):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert seam_model(Scheme(16, gap=6), [scenes['coffee']]).setting == 'rs-p16-gap6'


@pytest.mark.parametrize(
    'arrays, said',
    [
        ({'weights': np.ones(3)}, 'no format, setting, core, gap, sides among weights'),
        ({'format': np.array(9)}, 'format 9'),
        ({'0.weights': np.ones((2, 3))}, r'0\.weights is float64 \(2, 3\)'),
        ({'0.spread': np.full(1, np.nan)}, r'0\.spread is float64 \(1,\)'),
        ({'0.windows': np.array([[99, 1, 0]])}, '99'),
        ({'setting': np.array([{'a': 1}], object)}, 'allow_pickle=False'),
    ],
)
def test_foreign_files_are_refused_by_what_was_found(arrays, said, tmp_path):
    with np.load(SHIPPED / 'seams-rs-p16-gap0.npz') as file:
        whole = {name: file[name] for name in file.files}
    np.savez(tmp_path / 'x.npz', **(arrays if 'weights' in arrays else whole | arrays))
    with pytest.raises(CheckpointError, match=said):
        SeamModel.load(tmp_path / 'x.npz')


def test_files_that_are_no_npz_are_refused(tmp_path):
    for content in (b'', b'text', b'\x93NUMPY\x01\x00'):
        (tmp_path / 'x.npz').write_bytes(content)
        with pytest.raises(CheckpointError, match=r'x\.npz is not a seam model'):
            SeamModel.load(tmp_path / 'x.npz')


def test_oblong_pieces_have_a_model_for_each_direction(quick, scenes, tmp_path):
    scheme = Scheme((16, 32), gap=2)
    SeamModel.fit([scenes['coffee'], scenes['rocket']], scheme).save(tmp_path / 'x.npz')
    model = SeamModel.load(tmp_path / 'x.npz')
    pieces, index = pieces_of(scenes['chelsea'], scheme)
    upright = np.ascontiguousarray(pieces.swapaxes(1, 2))
    assert len(model.sides) == 2
    assert first_right(model.scores(pieces, pieces), index) > 0.15
    assert first_right(model.scores(upright, upright), index.T) > 0.3
    with pytest.raises(InvalidValueError, match='12 x 12'):
        model.scores(pieces[:, :12, :12], pieces[:, :12, :12])


@pytest.mark.parametrize('scheme', [Scheme(3, gap=1), Scheme((3, 8), gap=1), Scheme(4, strategy='both', gap=0)])
def test_pieces_of_a_pixel_or_two_are_scored(quick, scheme, scenes):
    photo = scenes['chelsea'][96:144, 96:144]
    model, (pieces, index) = SeamModel.fit([photo], scheme), pieces_of(photo, scheme)
    scores = model.scores(pieces, pieces)
    assert np.isfinite(scores).all()
    assert first_right(scores, index) > 2 / len(pieces)


def test_grey_photographs_are_learned_from_and_scored(quick, scenes):
    grey = {name: np.repeat(scenes[name].mean(axis=2, keepdims=True), 3, 2).astype(np.uint8) for name in scenes}
    scheme = Scheme(16)
    pieces, index = pieces_of(grey['chelsea'], scheme)
    for model in (SeamModel.fit([grey['coffee'], grey['rocket']], scheme), seam_model(scheme)):
        assert first_right(model.scores(pieces, pieces), index) > 0.8


def test_no_photographs_are_refused():
    with pytest.raises(InvalidValueError, match='got none'):
        SeamModel.fit([], Scheme(16))
    assert len(packaged_photos()) > 10


def test_settings_are_named_by_what_shapes_a_seam():
    assert setting_of(Scheme(16, gap=2, drop_ratio=0.5, orient=True, window=4)) == 'rs-p16-gap2'
    assert setting_of(Scheme((8, 16))) == 'rs-p8x16-gap0'
    assert setting_of(Scheme(32, strategy='both', grid=4, gap=1)) == 'mi-p32-grid4-gap1'


def test_shipped_models_are_whole_and_named_by_their_setting():
    sums = dict(line.split()[::-1] for line in (SHIPPED / 'SHA256SUMS').read_text().splitlines())
    files = sorted(SHIPPED.glob('seams-*.npz'))
    assert len(files) >= 14
    for file in files:
        assert file.stem == f'seams-{SeamModel.load(file).setting}'
        assert sums[file.name] == sha256_file(file)[0]


def test_shipped_models_beat_the_classic_measures(scenes):
    for scheme in (Scheme(16, gap=2), Scheme(16, strategy='both')):
        model, old, new = seam_model(scheme), [], []
        for name in ('astronaut', 'chelsea', 'coffee', 'rocket'):
            pieces, index = pieces_of(scenes[name], scheme)
            new.append(first_right(model.scores(pieces, pieces), index))
            old.append(first_right(np.sum(classic(pieces, pieces, scheme.shuffle.gap), axis=0), index))
        assert np.mean(new) > np.mean(old) + 0.02
