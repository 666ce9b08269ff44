"""Public photographs that Python packages ship: to try attacks on, and to learn from."""

from pathlib import Path

import numpy as np
from PIL import Image

SCENES = (  # scikit-image's and scikit-learn's photographs of things, people and places, and a star field
    'astronaut.png', 'camera.png', 'chelsea.png', 'coffee.png', 'coins.png', 'hubble_deep_field.jpg', 'ihc.png',
    'moon.png', 'motorcycle_left.png', 'motorcycle_right.png', 'retina.jpg', 'rocket.jpg', 'china.jpg', 'flower.jpg',
)  # fmt: skip
TEXTURES = ('brick.png', 'grass.png', 'gravel.png')


def square(image, side):
    """A PIL image -> (side, side, 3) uint8: the middle square, resized (bilinear)."""
    image = image.convert('RGB')
    least = min(image.size)
    left, top = ((length - least) // 2 for length in image.size)
    image = image.crop((left, top, left + least, top + least))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def sample_photos(side=224, names=SCENES):
    """``{name: (side, side, 3) uint8}`` of scikit-image's and scikit-learn's photographs.

    Raises:
        ImportError: one of the two packages is not installed.
    """
    import skimage
    import sklearn.datasets

    folders = [Path(skimage.__file__).parent / 'data', Path(sklearn.datasets.__file__).parent / 'images']
    found = {}
    for name in names:
        path = next(folder / name for folder in folders if (folder / name).is_file())
        with Image.open(path) as image:
            found[path.stem] = square(image, side)
    return found
