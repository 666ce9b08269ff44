"""What ``hii-mm predict --draw`` draws on: the plain picture behind a picture of a copy."""

import numpy as np
import pytest
from PIL import Image

import hii_mm
from hii_mm import Scheme
from hii_mm.images import as_colours, read_colours
from hii_mm.inference.pictures import find


@pytest.fixture
def folder(tmp_path, photo):
    """A photograph as grey of 16 bits, as colours and with alpha, and a key."""
    part = photo[96:192, 160:256]
    root = tmp_path / 'plain'
    root.mkdir()
    deep = part[..., 1].astype(np.uint16) * 257 + np.arange(96, dtype=np.uint16)  # the lower bits count, too
    Image.fromarray(deep).save(root / 'deep.png')
    Image.fromarray(part).save(root / 'colours.png')
    Image.fromarray(np.dstack([part, part[..., :1]])).save(root / 'alpha.png')
    hii_mm.write_new_key(tmp_path / 'key')
    return tmp_path


def copied(folder, scheme):
    """The pictures of a copy, by name, with the key at hand."""
    hii_mm.encrypt(folder / 'plain', folder / 'copy', key=folder / 'key', scheme=scheme)
    found = [source.load() for source in find(folder / 'copy', key=folder / 'key')]
    assert len(found) == 3
    return {picture.name: picture for picture in found}


@pytest.mark.parametrize('options', [{}, {'tone': True}, {'tone': True, 'orient': True}])
def test_shuffled_pictures_come_back_bit_for_bit(folder, options):
    for name, picture in copied(folder, Scheme(16, **options)).items():
        plain = read_colours(folder / 'plain' / name)
        assert not np.array_equal(picture.image, plain)
        np.testing.assert_array_equal(picture.decrypted(), plain)


@pytest.mark.parametrize('strategy', ['mixup', 'both'])
def test_mixed_pictures_come_back_in_place_and_size(folder, strategy):
    for name, picture in copied(folder, Scheme(16, strategy=strategy)).items():
        plain = read_colours(folder / 'plain' / name).astype(float)
        found = picture.decrypted().astype(float)
        assert found.shape == plain.shape
        # mixing leaves each patch its mean, so that the means of patches say whether all are in their places
        means = [np.stack([part.mean((0, 1)) for part in patches(image)]) for image in (found, plain)]
        assert np.abs(means[0] - means[1]).mean() < 8 < np.abs(means[0][::-1] - means[1]).mean()


def patches(image):
    """The patches of 16 x 16, row by row."""
    return [image[y : y + 16, x : x + 16] for y in range(0, 96, 16) for x in range(0, 96, 16)]


def test_pictures_of_eight_bits_need_no_pixels_of_their_own(folder):
    picture = copied(folder, Scheme(16))['colours.png']
    np.testing.assert_array_equal(as_colours(picture.pixels), picture.image)
