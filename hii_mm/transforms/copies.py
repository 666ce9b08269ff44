"""Refuse to encrypt a picture twice."""

from __future__ import annotations

import functools
import logging
import os.path as osp

from mmengine.logging import print_log

from ..errors import InvalidValueError
from ..handover.layout import copy_around
from .annotations import Results

copy_of_folder = functools.lru_cache(maxsize=4096)(copy_around)


def refuse_encrypted(results: Results, name: str) -> None:
    """Refuse a picture that lies in a copy that ``hii-mm encrypt`` wrote.

    Results without ``img_path`` pass. If they come from a loader, such as that of
    mmpretrain's inferencer, a warning is logged, once in a process.

    Raises:
        InvalidValueError: names the file and the copy.
    """
    path = results.get('img_path')
    if path is None and 'ori_shape' in results:
        _log_unseen(name)
    copy = copy_of_folder(osp.dirname(path)) if isinstance(path, str) and osp.isfile(path) else None
    if copy is not None:
        raise InvalidValueError(
            f'{path} lies in the encrypted copy {copy}, and {name} would encrypt it again: leave {name} out of the '
            f"pipeline, use hii_mm's inferencers, or set {name}(strict=False)"
        )


@functools.cache
def _log_unseen(name: str) -> None:
    """Log that nobody can see whether a picture is encrypted already."""
    print_log(
        f'{name}: pictures come without img_path, so that one that is encrypted already would be encrypted again. '
        "mmpretrain's inferencer passes none: use HIIClassifier of hii_mm.inference.classifier in its place, which "
        'takes the same arguments and tells plain from encrypted',
        'current',
        logging.WARNING,
    )
