"""Keyed random numbers: the same key, data set, parameters, size and image id always give the same plan.

Plan format, version 2: HKDF-SHA256 of the master key gives 32 bytes; ChaCha20
(RFC 8439) with them, counter and nonce 0, gives a stream of little-endian
32-bit words; bounded numbers come from these by rejection, permutations by
Fisher-Yates. docs/reference/format.md describes it for other programs, and
``tests/data/plan_vectors_v2.json`` freezes it.
"""

from __future__ import annotations

import json
import os
import os.path as osp
import re
import secrets
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import InvalidTypeError, InvalidValueError, UsageError
from . import checks
from .chacha import chacha20
from .keys import MasterKey
from .shuffle import ShuffleParams

PLAN_VERSION = 2
DATASET_BYTES = 16
_FIELDS = ('patch_size', 'gap', 'drop_ratio', 'orient', 'window', 'remainder')
_OPTIONAL = ('tone', 'noise')  # entered where they do something
_WORDS = 1 << 32


class KeyedSource:
    """The two methods that plans need of a random generator, on a stream of 32-bit words.

    Args:
        stream: ``stream(n)`` returns the next 4 * n bytes.
    """

    def __init__(self, stream: Callable[[int], bytes]) -> None:
        self._stream, self._left = stream, np.empty(0, np.int64)

    def permutation(self, n: int) -> np.ndarray:
        """Return 0 .. n - 1 in random order, int64 (n,), by Fisher-Yates from the last place down."""
        order = list(range(n))
        bounds = np.arange(n, 1, -1)
        for last, other in zip(range(n - 1, 0, -1), self._below(bounds).tolist()):
            order[last], order[other] = order[other], order[last]
        return np.array(order, np.int64)

    def integers(self, high: int, size: int) -> np.ndarray:
        """Return int64 (size,) in [0, high)."""
        return self._below(np.full(size, checks.whole('high', high, 1)))

    def _below(self, bounds: np.ndarray) -> np.ndarray:
        """Return one number in [0, bound) for each bound: the next word that is not rejected, modulo the bound.

        A word is rejected if it is at or above the largest multiple of the
        bound that 32 bits hold; the next word then takes its turn.
        """
        found, done = np.empty(len(bounds), np.int64), 0
        limits = _WORDS - _WORDS % bounds
        while done < len(bounds):
            missing = len(bounds) - done - len(self._left)
            if missing > 0:
                fresh = np.frombuffer(self._stream(missing), '<u4').astype(np.int64)
                self._left = np.concatenate([self._left, fresh])
            words = self._left[: len(bounds) - done]
            rejected = np.flatnonzero(words >= limits[done:])
            good = int(rejected[0]) if rejected.size else len(words)
            found[done : done + good] = words[:good] % bounds[done : done + good]
            self._left = self._left[good + bool(rejected.size) :]
            done += good
        return found


def keyed_source(
    key: MasterKey, params: ShuffleParams, shape: Sequence[int], *, image_id: str, dataset_id: str | bytes
) -> KeyedSource:
    """Return the random numbers of one image, for :meth:`ShuffleParams.plan`.

    Args:
        key: the master key.
        params: of the shuffle.
        shape: (h, w) of the image that is shuffled, or its whole shape.
        image_id: see :func:`image_id`.
        dataset_id: of the data set: 16 bytes, or 32 hex digits.

    Raises:
        InvalidTypeError, InvalidValueError: an image id that is not text, or
            empty; or not the id of a data set.
    """
    if not isinstance(image_id, str):
        raise InvalidTypeError(f'image_id must be a str, got {type(image_id).__name__}')
    if not image_id:
        raise InvalidValueError("image_id must not be empty, got ''")
    fields = dataset_bytes(dataset_id), canonical(params, shape), id_bytes(image_id)
    return KeyedSource(chacha20(key.derive(f'hii-mm plan v{PLAN_VERSION}', *fields)))


def new_dataset_id() -> str:
    """Return a random id for a data set: 32 hex digits."""
    return secrets.token_hex(DATASET_BYTES)


def dataset_bytes(dataset_id: str | bytes) -> bytes:
    """Return the 16 bytes of a data set's id.

    Args:
        dataset_id: 16 bytes, or 32 hex digits.

    Raises:
        InvalidTypeError, InvalidValueError: neither.
    """
    if isinstance(dataset_id, bytes):
        if len(dataset_id) != DATASET_BYTES:
            raise InvalidValueError(f'dataset_id must have {DATASET_BYTES} bytes, got {len(dataset_id)}')
        return dataset_id
    if not isinstance(dataset_id, str):
        raise InvalidTypeError(f'dataset_id must be a str or bytes, got {type(dataset_id).__name__}')
    if not re.fullmatch(r'[0-9a-fA-F]{32}', dataset_id):
        raise InvalidValueError(f'dataset_id must be {2 * DATASET_BYTES} hex digits, got {dataset_id!r}')
    return bytes.fromhex(dataset_id)


def id_bytes(image_id: str) -> bytes:
    """Return an image id as the bytes that enter keys: UTF-8, or the bytes of a name that is not UTF-8."""
    return image_id.encode('utf-8', 'surrogateescape')


def canonical(params: ShuffleParams, shape: Sequence[int]) -> bytes:
    """Return the parameters and the size of a shuffle as the bytes that enter its key, version 2.

    JSON with sorted names and no blanks; ``patch_size`` and ``shape`` are
    [h, w] and ``drop_ratio`` a float; ``tone`` is there only if it is true, and ``noise``
    only if it is not 0. Mixing has no secret and does not enter.

    Args:
        params: of the shuffle.
        shape: (h, w) of the image that is shuffled, before ``remainder`` pads or crops it.
    """
    values = {name: getattr(params, name) for name in _FIELDS}
    values |= {name: getattr(params, name) for name in _OPTIONAL if getattr(params, name)}
    values['shape'] = list(checks.pair('image size', tuple(shape[:2]), 1))
    return json.dumps({'strategy': 'shuffle', **values}, sort_keys=True, separators=(',', ':')).encode()


def image_id(path: str, root: str) -> str:
    """Return the id of an image: its path below ``root`` without the extension, with '/' between folders.

    Symbolic links are not followed.

    Args:
        path: of the image.
        root: the folder that is, or would be, the source of ``hii-mm encrypt``.

    Raises:
        UsageError: the image does not lie below ``root``.
    """
    below = osp.relpath(osp.abspath(path), osp.abspath(root)).replace(os.sep, '/')
    if below.startswith('../') or below in ('.', '..'):
        raise UsageError(f'{path!r} does not lie in {root!r}, so it has no image id there')
    return osp.splitext(below)[0]
