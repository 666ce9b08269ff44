"""``PatchShuffle``: random shuffling as an mm transform."""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from ..encryption import BBOX_MODES, MasterKey, Plan, Scheme, checks, image_id, read_key, read_passphrase
from ..encryption.keyfile import PASSPHRASE_VARIABLE
from ..errors import InvalidTypeError, InvalidValueError, KeyFileError
from ..handover import Manifest
from ..presets import warning
from ..registry import TRANSFORMS, register
from .annotations import Results, refuse_unmovable, shuffle_annotations
from .copies import refuse_encrypted
from .preset import scheme_of_preset


@register(TRANSFORMS)
class PatchShuffle(BaseTransform):
    """Shuffle the patches of an image, as random shuffling (RS) does.

    Put it after every augmentation and before ``Pack*Inputs``:
    :class:`hii_mm.training.hooks.CheckEncryption` refuses transforms that
    follow it and may move pixels. A scheme of which a measured attack recovers
    much is logged once, see :func:`hii_mm.presets.warning`.

    Source: Hao et al., "Human-Imperceptible, Machine-Recognizable Images",
    arXiv 2306.03679, section 3.2. ``gap``, ``drop_ratio``, ``orient``,
    ``window``, ``tone`` and ``noise`` are ours.

    Required Keys:

    - img (np.uint8 | np.uint16 | np.float32, (H, W) or (H, W, C)); with tone or noise no
      np.float32, and with key its colours are BGR, as mmcv loads them
    - gt_bboxes (BaseBoxes[torch.float32] | np.float32, (n, 4) xyxy) (optional)
    - gt_masks (BitmapMasks | PolygonMasks) (optional)
    - gt_seg_map (np.uint8, (H, W)) (optional)

    Modified Keys:

    - img (same dtype; smaller with gap, drop_ratio or remainder='crop',
      larger with remainder='pad')
    - img_shape (tuple[int, int], (h, w))
    - gt_bboxes, gt_bboxes_labels, gt_ignore_flags, according to bbox_mode
    - gt_masks (BitmapMasks), gt_seg_map: they move with the pixels
    - pad_shape (tuple[int, int], (h, w)), if present

    Added Keys:

    - gt_instance_ids (np.int64, (m,)), with boxes and a bbox_mode other than
      'keep': the plain box, by its row, that each box comes from
    - permutation (np.int64, (places,)), with return_permutation only: place i,
      counted row by row, holds plain patch permutation[i]

    Args:
        patch_size: side of a patch, or (h, w), in pixels. The model reads
            patches of ``patch_size - 2 * gap``.
        gap: pixels removed on every side of each patch.
        drop_ratio: share of patches thrown away, in [0, 1). The kept ones fill
            a rectangle, see :class:`hii_mm.encryption.ShuffleParams`.
        orient: give each patch a random flip and rotation.
        window: permute only within windows of this many by this many patches.
            None is the whole image.
        remainder: 'error', 'pad' or 'crop', where H or W is not a multiple of
            the patch size.
        bbox_mode: 'fragment': a box is cut along the patch grid, its pieces
            move with their patches, and pieces of one object that form a
            rectangle are merged; labels and flags are repeated. 'enclose': one
            box an object, the smallest around its moved pieces; objects
            without a surviving piece are removed. 'keep': boxes stay in plain
            coordinates.
        key: name of the environment variable that holds the path of the key
            file, such as 'HII_MM_KEY_FILE'; never a key or a path, as configs
            are copied into work dirs and logs. Each image then gets the
            permutation that ``hii-mm encrypt`` gives it. None draws a fresh
            one each time. Of a key with a passphrase, HII_MM_PASSPHRASE_FILE
            must hold the path of a file with the passphrase. With ``tone`` or ``noise``,
            load grey files by ``color_type='grayscale'``, as their copies are grey.
        return_permutation: add the permutation to the results. With it, the
            shuffle can be undone.
        image_root: with ``key``: the folder that was, or would be, SRC of
            ``hii-mm encrypt``. The id of an image is the path of ``img_path``
            below it, without the extension.
        dataset: with ``key``: the id of the data set, 32 hex digits, or the
            folder of an encrypted copy, whose manifest names it. Pictures of
            another data set need an id of their own, see
            :func:`hii_mm.encryption.new_dataset_id`.
        strict: refuse a picture whose ``img_path`` lies in an encrypted copy.
        tone: change the order of the colours, the direction and the level of
            each channel of each patch at random, see
            :mod:`hii_mm.encryption.tone`.
        noise: standard deviation of the noise on each value, in levels of 8
            bits, at most 128, see :mod:`hii_mm.encryption.noise`.
        preset: name of a preset, such as 'light-v1', instead of the arguments
            that describe the scheme. Of one that mixes first this is the
            shuffle alone: put ``PatchMixup`` with the same preset before it.

    Attributes:
        scheme: the :class:`hii_mm.encryption.Scheme`.

    Raises:
        KeyFileError: the variable is not set, or the key file is missing or
            readable by other users.
        ManifestError: ``dataset`` is neither an id nor an encrypted copy.
        InvalidTypeError, InvalidValueError: a value that is not accepted, an
            image that cannot be cut into patches, results that hold keypoints
            or proposals, or a picture that is encrypted already.
    """

    def __init__(
        self,
        patch_size: int | tuple[int, int] = 16,
        gap: int = 0,
        drop_ratio: float = 0.0,
        orient: bool = False,
        window: int | None = None,
        remainder: str = 'error',
        bbox_mode: str = 'fragment',
        key: str | None = None,
        return_permutation: bool = False,
        image_root: str | None = None,
        dataset: str | None = None,
        strict: bool = True,
        tone: bool = False,
        noise: int = 0,
        preset: str | None = None,
    ) -> None:
        options: dict[str, Any] = dict(
            gap=gap, drop_ratio=drop_ratio, orient=orient, window=window, tone=tone, noise=noise
        )
        self.preset = preset
        if preset is None:
            self.scheme = Scheme(patch_size, **options, remainder=remainder)
        else:
            self.scheme = scheme_of_preset(PatchShuffle, preset, remainder, patch_size=patch_size, **options)
        self.bbox_mode = checks.one_of('bbox_mode', bbox_mode, BBOX_MODES)
        self.return_permutation = return_permutation
        self.strict = strict
        self.key, self.image_root = _variable(key), image_root
        if not (self.key is None) == (image_root is None) == (dataset is None):
            raise InvalidValueError(
                'key, image_root and dataset need each other: image_root is SRC of hii-mm encrypt, and dataset its '
                'DST, or the dataset_id in the manifest of DST'
            )
        self.dataset_id = None if dataset is None else _dataset_id(dataset)
        self._worker_rng: tuple[int | None, np.random.Generator | None] = (None, None)
        self._master: MasterKey | None = None
        _log_warning(Scheme.preset(preset) if preset else self.scheme.with_remainder('error'))

    def _rng(self) -> np.random.Generator:
        """Return NumPy's global stream, as mm seeds it; in a worker, a stream of its own.

        mmengine seeds each new worker alike in every epoch. torch gives it a
        seed that differs by worker and epoch and follows mmengine's seed, so
        the two together never repeat within a run, and a run can be repeated.
        """
        worker = get_worker_info()
        if worker is None:
            return np.random.Generator(np.random.get_bit_generator())
        seed, rng = self._worker_rng
        if rng is None or seed != worker.seed:
            rng = np.random.default_rng([np.random.randint(2**31), worker.seed])
            self._worker_rng = (worker.seed, rng)
        return rng

    @cache_randomness
    def _plan(self, plain_shape: tuple[int, int]) -> Plan:
        """Sample a plan for an image of (h, w)."""
        return self.scheme.plan(plain_shape, self._rng())

    def _keyed_plan(self, shape: tuple[int, ...], path: str) -> Plan:
        """Derive the plan of an image (h, w) or (h, w, C) from the key; three colours are blue, green, red."""
        if self._master is None:
            if self.key is None or not os.environ.get(self.key):
                raise KeyFileError(f'PatchShuffle(key={self.key!r}): the environment variable {self.key} is not set')
            self._master = read_key(os.environ[self.key], passphrase=_passphrase())
        name = image_id(path, str(self.image_root))
        plan = self.scheme.plan(shape, key=self._master, image_id=name, dataset_id=self.dataset_id)
        return plan.mirrored() if len(shape) > 2 and shape[2] > 2 else plan

    def __getstate__(self) -> dict[str, Any]:
        """Leave the key out: each process reads it by itself."""
        return {**self.__dict__, '_master': None}

    def transform(self, results: Results) -> Results:
        """Shuffle ``results['img']`` and move its annotations, in place."""
        refuse_unmovable(results, 'PatchShuffle')
        if self.strict:
            refuse_encrypted(results, 'PatchShuffle')
        img = results['img']
        shape = np.shape(img)[:2]
        plan = self._plan(shape) if self.key is None else self._keyed_plan(np.shape(img), results['img_path'])
        results['img'] = plan.apply(img)
        shuffle_annotations(results, plan, self.bbox_mode)
        results['img_shape'] = plan.encrypted_shape
        if 'pad_shape' in results:
            results['pad_shape'] = plan.encrypted_shape
        if self.return_permutation:
            assert plan.shuffle is not None
            results['permutation'] = plan.shuffle.permutation
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}({self.scheme.label}, remainder={self.scheme.remainder!r}, '
            f'bbox_mode={self.bbox_mode!r}, key={self.key!r}, return_permutation={self.return_permutation})'
        )


@functools.cache
def _log_warning(scheme: Scheme) -> None:
    """Log, once in a process for each scheme, that a measured attack recovers much of what it hides."""
    text = warning(scheme)
    if text is not None:
        print_log(f'PatchShuffle, unless PatchMixup stands before it: {text}', 'current', logging.WARNING)


def _dataset_id(dataset: Any) -> str:
    """Return the id of a data set, as it is or from the manifest of a copy.

    Raises:
        InvalidTypeError: not a str.
        ManifestError: neither an id nor an encrypted copy.
    """
    if not isinstance(dataset, str):
        raise InvalidTypeError(f'dataset must be 32 hex digits or a folder, got {dataset!r}')
    if re.fullmatch(r'[0-9a-fA-F]{32}', dataset):
        return dataset.lower()
    return Manifest(dataset).dataset_id


def _passphrase() -> Callable[[], str] | None:
    """Return a function that reads the passphrase from the file that the environment names, or None."""
    path = os.environ.get(PASSPHRASE_VARIABLE)
    return (lambda: read_passphrase(path)) if path else None


def _variable(key: Any) -> str | None:
    """Return the name of an environment variable, or None.

    Raises:
        InvalidTypeError, InvalidValueError: another value. The message does
            not repeat it, as it may be a key.
    """
    if key is None:
        return None
    if not isinstance(key, str):
        raise InvalidTypeError(f'key must be the name of an environment variable, got a {type(key).__name__}')
    if not re.fullmatch(r'[A-Z_][A-Z0-9_]{0,63}', key):
        raise InvalidValueError(
            'key must be the name of an environment variable, such as HII_MM_KEY_FILE, that holds the path of the '
            'key file; never write a key or a path in a config, which is copied into work dirs and logs'
        )
    return key
