"""The id of a data set, which all parts of a run share through one file in the working folder."""

from __future__ import annotations

import os.path as osp
import re
import time

from ..encryption.keyed import new_dataset_id
from ..errors import CopyError, RefusedError
from ..files import write_new
from .layout import DATASET, MANIFEST, WORK
from .manifest import Manifest

_TRIES, _SECONDS = 50, 0.1  # for a part that has reserved the name and not yet written the id


def shared_id(dst: str, wanted: str | None) -> str:
    """Return the id of the data set in DST; the first part records it for the others.

    Args:
        dst: the copy, with its working folder.
        wanted: the id that the caller asks for; None takes what is recorded, or a random one.

    Returns:
        32 hex digits.

    Raises:
        RefusedError: DST has another id than ``wanted``.
        CopyError: the record is damaged.
        ManifestError: DST is finished, and its manifest is damaged.
    """
    if osp.exists(osp.join(dst, MANIFEST)):
        found = Manifest(dst).dataset_id
    else:
        found = _recorded(osp.join(dst, WORK, DATASET), wanted or new_dataset_id())
    if wanted not in (None, found):
        raise RefusedError(
            f'DST was begun with dataset_id = {found!r}, but now it is {wanted!r}; '
            'use the same value, or choose a new folder'
        )
    return found


def _recorded(path: str, new: str) -> str:
    """Return the id in a file, which is written with a new one if there is none.

    Raises:
        CopyError: the file holds something else.
    """
    try:
        write_new(path, f'{new}\n'.encode())
    except FileExistsError:
        return _read(path)
    return new


def _read(path: str) -> str:
    for _ in range(_TRIES):
        with open(path, 'rb') as file:
            text = file.read(64)
        if re.fullmatch(rb'[0-9a-f]{32}\n', text):
            return text[:-1].decode()
        if text:
            break
        time.sleep(_SECONDS)
    raise CopyError(f'{path!r} is damaged: it must hold 32 hex digits; choose a new folder')
