"""Shuffle and mix patches: the one place where pixels and coordinates are moved. NumPy only.

A :class:`Scheme` says what is done to images. A *plan* is sampled from it once
for each image and then applied to the pixels, boxes, polygons and masks, so
that all of them move alike.

>>> import numpy as np
>>> from hii_mm.encryption import Scheme
>>> image = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
>>> plan = Scheme(patch_size=16).plan(image.shape, np.random.default_rng(0))
>>> encrypted = plan.apply(image)
>>> bool((plan.invert(encrypted) == image).all())
True
"""

from .boxes import enclose_boxes, fragment_boxes, locate_boxes, restore_boxes
from .grid import PatchGrid
from .keyed import KeyedSource, image_id, keyed_source, new_dataset_id
from .keyfile import read_key, read_passphrase, write_key, write_new_key
from .keys import MasterKey
from .mixup import MixupParams, MixupPlan
from .paper import from_paper, to_paper
from .plan import BBOX_MODES, Plan
from .polygons import clip_polygon, move_points, move_polygon
from .scheme import Scheme
from .shuffle import RandomSource, ShuffleParams, ShufflePlan

__all__ = [
    'BBOX_MODES',
    'KeyedSource',
    'MasterKey',
    'MixupParams',
    'MixupPlan',
    'PatchGrid',
    'Plan',
    'RandomSource',
    'Scheme',
    'ShuffleParams',
    'ShufflePlan',
    'clip_polygon',
    'enclose_boxes',
    'fragment_boxes',
    'from_paper',
    'image_id',
    'locate_boxes',
    'keyed_source',
    'move_points',
    'move_polygon',
    'new_dataset_id',
    'read_key',
    'read_passphrase',
    'restore_boxes',
    'to_paper',
    'write_key',
    'write_new_key',
]
