"""The eight turns, of pixels, boxes and points, against index arithmetic."""

import numpy as np
import pytest

from hii_mm.encryption import turns


def turned(patch, code):
    """Turn one patch (h, w) pixel by pixel: quarters anti-clockwise, then the mirror."""
    for _ in range(code % 4):
        height, width = patch.shape
        patch = np.array([[patch[x, width - 1 - y] for x in range(height)] for y in range(width)])
    return np.array([row[::-1] for row in patch]) if code >= 4 else patch


def patches(height, width):
    return np.arange(2 * height * width).reshape(2, height, width)


@pytest.mark.parametrize('height, width', [(3, 3), (2, 5)])
def test_pixels_agree_with_the_oracle(height, width):
    for code in turns.codes_of((height, width)):
        for patch, got in zip(patches(height, width), turns.turn(patches(height, width), code)):
            np.testing.assert_array_equal(got, turned(patch, code))
            np.testing.assert_array_equal(turns.turn_grid(patch, code), turned(patch, code))


def test_oblong_patches_keep_their_shape():
    assert turns.codes_of((2, 5)) == [c for c in range(8) if turned(patches(2, 5)[0], c).shape == (2, 5)]


@pytest.mark.parametrize('first', range(8))
def test_inverse_and_compose(first):
    square = patches(3, 3)[0]
    there = turned(square, first)
    np.testing.assert_array_equal(turned(there, int(turns.inverse(np.array(first)))), square)
    for then in range(8):
        np.testing.assert_array_equal(turned(square, turns.compose(first, then)), turned(there, then))


@pytest.mark.parametrize('code', [0, 2, 4, 6])
def test_transposed(code):
    oblong = patches(2, 5)[0]
    np.testing.assert_array_equal(turned(oblong, code).T, turned(oblong.T, turns.transposed(code)))


@pytest.mark.parametrize('height, width', [(4, 4), (3, 6)])
def test_points_and_boxes_follow_their_pixel(height, width):
    for code in turns.codes_of((height, width)):
        for y in range(height):
            for x in range(width):
                mask = np.zeros((height, width), int)
                mask[y, x] = 1
                ((row, col),) = np.argwhere(turned(mask, code))
                middle = turns.turn_points(np.array([[x + 0.5, y + 0.5]]), code, height, width)
                assert middle.tolist() == [[col + 0.5, row + 0.5]]
                box = turns.turn_boxes(np.array([[x, y, x + 1.0, y + 1]]), np.array([code]), height, width)
                assert box.tolist() == [[col, row, col + 1, row + 1]]


def test_each_patch_of_an_image_is_turned_by_its_own_code():
    image = np.arange(6 * 9).reshape(6, 9)
    codes = np.array([0, 5, 2, 7, 1, 6])
    got = image.copy()
    turns.turn_patches(got, codes, (2, 3))
    for i, code in enumerate(codes):
        here = np.s_[i // 3 * 3 : i // 3 * 3 + 3, i % 3 * 3 : i % 3 * 3 + 3]
        np.testing.assert_array_equal(got[here], turned(image[here], code))
