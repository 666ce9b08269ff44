"""Refuse to encrypt a picture twice."""

from __future__ import annotations

import functools
import os.path as osp

from ..errors import InvalidValueError
from ..handover.layout import copy_around
from .annotations import Results

copy_of_folder = functools.lru_cache(maxsize=4096)(copy_around)


def refuse_encrypted(results: Results, name: str) -> None:
    """Refuse a picture that lies in a copy that ``hii-mm encrypt`` wrote.

    Results without ``img_path`` pass: mmpretrain's inferencer leaves it out.

    Raises:
        InvalidValueError: names the file and the copy.
    """
    path = results.get('img_path')
    copy = copy_of_folder(osp.dirname(path)) if isinstance(path, str) and osp.isfile(path) else None
    if copy is not None:
        raise InvalidValueError(
            f'{path} lies in the encrypted copy {copy}, and {name} would encrypt it again: leave {name} out of the '
            f"pipeline, use hii_mm's inferencers, or set {name}(strict=False)"
        )
