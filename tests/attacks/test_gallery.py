"""Photo retrieval: the photograph itself is first, noise is chance, and near copies are left out."""

import numpy as np
import pytest

from hii_mm.attacks.evaluation.colours import CELLS, layout, layout_likeness
from hii_mm.attacks.evaluation.gallery import LAYOUT, Gallery, PhotoRetrieval, first


def blurred_noise(seed, side=112, cells=7):
    """A smooth picture of its own colours."""
    grid = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    return np.repeat(np.repeat(grid, side // cells, axis=0), side // cells, axis=1)


@pytest.fixture(scope='module')
def gallery():
    return Gallery({str(seed): blurred_noise(seed) for seed in range(20)}, size=12)


def picked(choice, picture):
    return PhotoRetrieval.calculate(choice._replace(features=None), picture)[LAYOUT]


def test_a_photo_picks_itself_and_noise_is_chance(gallery):
    noise = np.random.default_rng(1)
    hits = []
    for seed in range(20):
        choice = gallery.choice(str(seed), blurred_noise(seed))
        assert len(choice.layouts) == 12
        assert PhotoRetrieval.chance(choice)[LAYOUT] == 1 / 12
        assert picked(choice, blurred_noise(seed)) == 1
        assert picked(choice, blurred_noise(seed + 1)) == 0 or seed >= 12
        hits += [picked(choice, noise.integers(0, 256, (112, 112, 3)).astype(np.uint8)) for _ in range(20)]
    assert np.mean(hits) == pytest.approx(1 / 12, abs=0.06)
    assert picked(choice, np.full((64, 64, 3), 9, np.uint8)) == pytest.approx(1 / 12)


def test_a_shift_by_two_cells_costs_nothing_and_by_half_the_picture_everything(gallery):
    plain = blurred_noise(3)
    choice = gallery.choice('3', plain)
    cell = plain.shape[0] // CELLS
    assert picked(choice, np.roll(plain, (2 * cell, -cell), axis=(0, 1))) == 1
    far = layout_likeness(layout(np.roll(plain, plain.shape[0] // 2, axis=1)), layout(plain)[None])
    assert far[0] < 0.6


def test_near_copies_and_the_photo_itself_are_left_out():
    plain = blurred_noise(0)
    darker = (plain * 0.8).astype(np.uint8)
    gallery = Gallery({'same': plain, 'darker': darker, 'other': blurred_noise(1), 'third': blurred_noise(2)})
    assert gallery.others('plain', plain) == ['other', 'third']
    assert gallery.others('other', plain) == ['third']
    assert gallery.choice('plain', plain).layouts.shape == (3, CELLS, CELLS, 3)
    assert Gallery({'same': plain}).choice('plain', plain) is None


def test_the_layout_is_the_mean_of_each_cell():
    picture = np.random.default_rng(0).integers(0, 256, (56, 28, 3)).astype(np.uint8)
    expected = picture.reshape(CELLS, 4, CELLS, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(layout(picture), expected, atol=1)


def test_likeness_is_the_best_correlation_over_25_shifts():
    """Against a slow oracle, shift by shift with NumPy's own correlation."""
    rng = np.random.default_rng(0)
    one, two = rng.random((2, CELLS, CELLS, 3))
    values = []
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            cells = [(y, x) for y in range(CELLS) for x in range(CELLS)]
            pairs = [((y, x), (y - dy, x - dx)) for y, x in cells if 0 <= y - dy < CELLS and 0 <= x - dx < CELLS]
            a, b = (np.concatenate([grid[pair[k]] for pair in pairs]) for k, grid in enumerate((one, two)))
            values.append(np.corrcoef(a, b)[0, 1])
    assert layout_likeness(one, two[None])[0] == pytest.approx(max(values), abs=1e-5)


def test_ties_count_as_a_share():
    assert first(np.array([1.0, 0.5])) == 1
    assert first(np.array([0.5, 1.0])) == 0
    assert first(np.array([1.0, 1.0, 0.0, 1.0])) == pytest.approx(1 / 3)
