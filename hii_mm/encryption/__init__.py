"""Shuffling and mixing of patches: the one place where pixels are moved.

NumPy only. Everything else in the package (transforms, tools, tests) samples a
*plan* here once and then applies it, so that an image and whatever belongs to
it are moved in the same way.

>>> import numpy as np
>>> from hii_mm.encryption import ShuffleParams
>>> image = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
>>> plan = ShuffleParams(patch_size=16).plan(image.shape, np.random.default_rng(0))
>>> encrypted = plan.apply(image)
>>> bool((plan.invert(encrypted) == image).all())
True
"""

from .boxes import enclose_boxes, fragment_boxes, restore_boxes
from .grid import PatchGrid
from .keyed import KeyedSource, KeyFileError, MasterKey, image_id, read_key, write_new_key
from .mixup import MixupParams, MixupPlan
from .polygons import clip_polygon, move_points, move_polygon
from .shuffle import ShuffleParams, ShufflePlan

__all__ = [
    'KeyFileError',
    'KeyedSource',
    'MasterKey',
    'MixupParams',
    'MixupPlan',
    'PatchGrid',
    'ShuffleParams',
    'ShufflePlan',
    'clip_polygon',
    'enclose_boxes',
    'fragment_boxes',
    'image_id',
    'move_points',
    'move_polygon',
    'read_key',
    'restore_boxes',
    'write_new_key',
]
