"""How a picture was shuffled, for whoever may know it: from its permutation, or from the key. NumPy only."""

from __future__ import annotations

import os
import os.path as osp
import re

import numpy as np

from ..encryption import Plan, read_key, read_passphrase
from ..encryption.grid import PatchGrid
from ..encryption.keyfile import PASSPHRASE_VARIABLE
from ..encryption.shuffle import ShuffleParams, ShufflePlan
from ..errors import InvalidValueError, KeyFileError
from .pictures import Copy


def plan_of_permutation(params: ShuffleParams, permutation: np.ndarray, encrypted_shape: tuple[int, int]) -> Plan:
    """Return the plan of a picture from its permutation.

    Args:
        params: of the shuffle, without ``drop_ratio`` and ``orient``.
        permutation: int64 (places,), as ``PatchShuffle`` returns it.
        encrypted_shape: (h, w) of the encrypted picture in pixels.

    Raises:
        InvalidValueError: another number of patches, or no permutation.
    """
    (h, w), (ch, cw), (ph, pw) = encrypted_shape, params.core_size, params.patch_size
    rows, cols = h // ch, w // cw
    if (h % ch, w % cw) != (0, 0) or not np.array_equal(np.sort(permutation), np.arange(rows * cols)):
        raise InvalidValueError(
            f'a picture of {h} x {w} (h x w) has {rows} x {cols} patches of {ch} x {cw}, but permutation holds '
            f'{len(permutation)} numbers: it must be of pictures without drop_ratio, and patch_size and gap those '
            'of the PatchShuffle'
        )
    grid = PatchGrid((rows * ph, cols * pw), params.patch_size)
    return Plan(None, ShufflePlan(grid, params.gap, (rows, cols), permutation))


def open_copy(folder: str, variable: str) -> Copy:
    """Return a copy with the key that an environment variable leads to.

    Raises:
        InvalidValueError: no name of a variable. The message does not repeat it, as it may be a key.
    """
    if not re.fullmatch(r'[A-Z_][A-Z0-9_]{0,63}', variable):
        raise InvalidValueError(
            'key must be the name of an environment variable, such as HII_MM_KEY_FILE, that holds the path of the '
            'key file; never write a key or a path in a config, which is copied into work dirs and logs'
        )
    path = os.environ.get(variable)
    if not path:
        raise KeyFileError(f'ShuffledCocoMetric(key={variable!r}): the environment variable {variable} is not set')
    words = os.environ.get(PASSPHRASE_VARIABLE)
    key = read_key(path, passphrase=(lambda: read_passphrase(words)) if words else None)
    return Copy(osp.realpath(folder), key, path, None)


def plan_in(copy: Copy, path: str) -> Plan:
    """Return how a picture of a copy was encrypted."""
    row = copy.rows.get(osp.relpath(osp.realpath(path), copy.folder))
    plan = None if row is None else copy.plan(row)
    if plan is None:
        raise InvalidValueError(f'{path!r} is not listed in the manifest of {copy.folder!r}')
    return plan
