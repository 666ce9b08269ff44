"""``PatchShuffle``: random shuffling as an mm transform."""

import os
import re

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from torch.utils.data import get_worker_info

from ..encryption import KeyFileError, ShuffleParams, checks, image_id, read_key
from ..registry import TRANSFORMS, register
from .annotations import BBOX_MODES, refuse_what_stays, shuffle_annotations
from .order import EncryptedResults


@register(TRANSFORMS)
class PatchShuffle(BaseTransform):
    """Shuffle the patches of an image, as random shuffling (RS) does.

    Put it after every augmentation and before ``Pack*Inputs``; a geometric
    transform that comes later is an error that names it.

    Source: Hao et al., "Human-Imperceptible, Machine-Recognizable Images",
    arXiv 2306.03679, section 3.2; ``gap``, ``drop_ratio``, ``orient`` and
    ``window`` are ours.

    Required Keys:

    - img (np.uint8 | np.uint16 | np.float32, (H, W) or (H, W, C))
    - gt_bboxes (BaseBoxes[torch.float32] | np.float32, (n, 4) xyxy) (optional)
    - gt_masks (BitmapMasks | PolygonMasks) (optional)
    - gt_seg_map (np.uint8, (H, W)) (optional)

    Modified Keys:

    - img (same dtype; smaller with gap, drop_ratio or remainder='crop',
      larger with remainder='pad')
    - img_shape (tuple[int, int], (h, w))
    - gt_bboxes, gt_bboxes_labels, gt_ignore_flags, as bbox_mode says
    - gt_masks (BitmapMasks), gt_seg_map: they move with the pixels
    - pad_shape (tuple[int, int], (h, w)), if it was there

    Added Keys:

    - gt_instance_ids (np.int64, (m,)), with boxes and a bbox_mode other than
      'keep': which of the boxes before each box now belongs to

    - permutation (np.int64, (places,)), with return_permutation only: place i,
      row by row, holds plain patch permutation[i]

    Args:
        patch_size (int | tuple[int, int]): Side of a patch, or (h, w), in
            pixels. A model behind it needs ``patch_size - 2 * gap``.
        gap (int): Pixels removed on every side of each patch.
        drop_ratio (float): Share of patches thrown away, in [0, 1). The kept
            ones fill a rectangle, see :class:`hii_mm.encryption.ShuffleParams`.
        orient (bool): Give each patch a random flip and rotation.
        window (int, optional): Permute only within windows of this many by
            this many patches. None is the whole image.
        remainder (str): 'error', 'pad' or 'crop', where H or W is no multiple
            of the patch size.
        bbox_mode (str): 'fragment': a box is cut along the patch grid, its
            pieces move with their patches, and pieces of one object that form
            a rectangle are merged; labels and flags are repeated. 'enclose':
            one box an object, the smallest around its moved pieces; objects
            without any are removed. 'keep': boxes stay in plain coordinates.
        key (str, optional): Name of the environment variable that names the
            key file, such as 'HII_MM_KEY_FILE'; never a key or a path, as
            configs are copied into work dirs and logs. Each image then gets
            the permutation that ``hii-mm encrypt`` gives it. None draws fresh
            ones.
        image_root (str, optional): With ``key``: the folder that was, or would
            be, SRC of ``hii-mm encrypt``. An image's id is the path of
            ``img_path`` below it, without the extension.
        return_permutation (bool): Add the permutation to the results. Whoever
            has it can undo the shuffle.

    Raises:
        KeyFileError: the variable or the key file is not there, or others can
            read the file.
        TypeError, ValueError: a value that is not accepted, an image that
            cannot be cut, or results that carry keypoints or proposals.
    """

    def __init__(
        self,
        patch_size=16,
        gap=0,
        drop_ratio=0.0,
        orient=False,
        window=None,
        remainder='error',
        bbox_mode='fragment',
        key=None,
        return_permutation=False,
        image_root=None,
    ):
        self.params = ShuffleParams(patch_size, gap, drop_ratio, orient, window, remainder)
        self.bbox_mode = checks.one_of('bbox_mode', bbox_mode, BBOX_MODES)
        self.return_permutation = return_permutation
        self.key, self.image_root = _variable(key), image_root
        if (self.key is None) != (image_root is None):
            raise ValueError('key and image_root go together: image_root is the folder that hii-mm encrypt was given')
        self._worker_rng, self._master = (None, None), None

    def _rng(self):
        """NumPy's global stream, as mm seeds it; in a worker, one of its own.

        mmengine seeds each new worker alike in every epoch. torch gives it a
        seed that differs by worker and epoch and follows mmengine's seed, so
        the two together never repeat and can be repeated.
        """
        worker = get_worker_info()
        if worker is None:
            return np.random.Generator(np.random.get_bit_generator())
        seed, rng = self._worker_rng
        if seed != worker.seed:
            rng = np.random.default_rng([np.random.randint(2**31), worker.seed])
            self._worker_rng = (worker.seed, rng)
        return rng

    @cache_randomness
    def _plan(self, plain_shape):
        """Sample a plan for an image of (h, w)."""
        return self.params.plan(plain_shape, self._rng())

    def _keyed_plan(self, plain_shape, path):
        """The plan that the key gives to an image of (h, w)."""
        if self._master is None:
            if not os.environ.get(self.key):
                raise KeyFileError(f'PatchShuffle(key={self.key!r}): the environment variable {self.key} is not set')
            self._master = read_key(os.environ[self.key])
        return self._master.plan(self.params, image_id(path, self.image_root), plain_shape)

    def __getstate__(self):
        """Without the key: each process reads it by itself."""
        return {**self.__dict__, '_master': None}

    def transform(self, results):
        """Shuffle ``results['img']`` and move what belongs to it."""
        refuse_what_stays(results, 'PatchShuffle')
        img = results['img']
        shape = np.shape(img)[:2]
        plan = self._plan(shape) if self.key is None else self._keyed_plan(shape, results['img_path'])
        results['img'] = plan.apply(img)
        shuffle_annotations(results, plan, self.bbox_mode)
        results['img_shape'] = plan.encrypted_shape
        if 'pad_shape' in results:
            results['pad_shape'] = plan.encrypted_shape
        if self.return_permutation:
            results['permutation'] = plan.permutation
        return EncryptedResults.wrap(results, self)

    def __repr__(self):
        more = f'bbox_mode={self.bbox_mode!r}, key={self.key!r}, return_permutation={self.return_permutation}'
        return f'{type(self).__name__}({self.params}, {more})'


def _variable(key):
    """The name of an environment variable, or None.

    Raises:
        TypeError, ValueError: something else; what it is, is not repeated, as
            it may be a key.
    """
    if key is not None and not isinstance(key, str):
        raise TypeError(f'key must be the name of an environment variable, got a {type(key).__name__}')
    if key is not None and not re.fullmatch(r'[A-Z_][A-Z0-9_]{0,63}', key):
        raise ValueError(
            'key must be the name of an environment variable, such as HII_MM_KEY_FILE, that names the key file; '
            'a key or a path has no place in a config, which is copied into work dirs and logs'
        )
    return key
