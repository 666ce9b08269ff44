"""FashionScene on a few pictures."""

import fashion_scene
import numpy as np
import pytest
from PIL import Image

BUILD = 'tools/dataset_converters/fashion_scene.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory, digits_root, photo):
    """A data folder whose fashion-mnist holds digits, and two photographs, one of each half."""
    root = tmp_path_factory.mktemp('root')
    (root / 'fashion-mnist').symlink_to(digits_root)
    for split, folder in fashion_scene.FOLDERS.items():
        (root / 'gcompris' / folder).mkdir(parents=True)
        # the halves differ in colour, so that a background tells where it comes from
        tinted = photo * np.uint8([1, 0, 0] if split == 'train' else [0, 1, 0])
        Image.fromarray(tinted).save(root / 'gcompris' / folder / 'a.webp', lossless=True)
    return root


def build(call, root, out, *words):
    """Run it, and return the pictures by their paths below the folder."""
    done = call(BUILD, '--root', root, '--out', out, '--train', 24, '--val', 12, *words)
    assert done.stdout.endswith('24 training images, 12 validation images\n')
    return {path.relative_to(out): np.asarray(Image.open(path)) for path in out.rglob('*.png')}


def test_items_are_large_and_lie_on_photographs_of_their_half(root, tmp_path, call):
    pictures = build(call, root, tmp_path / 'scene')
    classes = {path.parts[1] for path in pictures}
    assert sum(path.parts[0] == 'train' for path in pictures) == 24 and len(pictures) == 36
    assert classes <= {fashion_scene.folder_name(label) for label in range(10)} and len(classes) > 4
    for path, picture in pictures.items():
        assert picture.shape == (128, 128, 3)
        missing = picture[..., 1] if path.parts[0] == 'train' else picture[..., 0]
        item = picture[..., 2] > 0  # no photograph has blue
        rows, columns = np.nonzero(item)
        assert 10 < np.ptp(rows) < fashion_scene.MOST and np.ptp(columns) < fashion_scene.MOST
        assert missing[~item].max() <= 3  # an item's edge is soft, and its blue may round to nothing
    assert len(list((tmp_path / 'scene').glob('*/*'))) == 20  # also the folders of classes that have no picture


def test_the_seed_repeats_it_and_another_does_not(root, tmp_path, call):
    first, again, other = (
        build(call, root, tmp_path / name, '--seed', seed) for name, seed in (('a', 0), ('b', 0), ('c', 1))
    )
    assert first.keys() == again.keys() != other.keys()
    assert all(np.array_equal(first[path], again[path]) for path in first)


def test_colours_do_not_tell_the_class(root):
    """The same item, in the same places, gets another colour and another background."""
    item = np.full((28, 28), 200, np.uint8)
    photos = fashion_scene.photographs(root, 'train')
    means = [fashion_scene.scene(item, photos, np.random.default_rng(k)).mean((0, 1)) for k in range(8)]
    assert np.std(means, axis=0)[2] > 5


@pytest.mark.parametrize('missing, remedy', [('gcompris', 'gcompris.py'), ('fashion-mnist', 'fashion_mnist.py')])
def test_what_is_missing_is_named_with_its_remedy(root, tmp_path, call, missing, remedy):
    for name in {'gcompris', 'fashion-mnist'} - {missing}:
        (tmp_path / name).symlink_to(root / name)
    done = call(BUILD, '--root', tmp_path, '--out', tmp_path / 'scene', code=1)
    assert f'run tools/dataset_converters/{remedy} first' in done.stderr
    assert not (tmp_path / 'scene').exists()


def test_what_is_there_is_not_overwritten(root, tmp_path, call):
    assert 'exists already; remove it' in call(BUILD, '--root', root, '--out', tmp_path, code=1).stderr
