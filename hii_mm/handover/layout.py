"""Names of the files of an encrypted copy, and how to recognise a copy."""

from __future__ import annotations

import os
import os.path as osp
from typing import TypeGuard

from ..files import StrPath

WORK = '.hii-mm'  # folder of an unfinished run: journals, locks, temporary files
MANIFEST = 'manifest.json'
REJECTS = 'rejects.jsonl'
ANNOTATIONS = 'annotations'
RESERVED = frozenset({WORK, MANIFEST, REJECTS, ANNOTATIONS})
_HEAD_BYTES = 64  # enough for the first line of a manifest


def copy_around(path: StrPath) -> str | None:
    """Return the encrypted copy, finished or not, that contains a path; None if there is none.

    Args:
        path: a file or folder, which need not exist.
    """
    folder = osp.realpath(path)
    while True:
        if osp.isdir(osp.join(folder, WORK)) or _is_manifest(osp.join(folder, MANIFEST)):
            return folder
        if folder == osp.dirname(folder):
            return None
        folder = osp.dirname(folder)


def _is_manifest(path: str) -> bool:
    try:
        with open(path, 'rb') as file:
            return b'"hii-mm manifest"' in file.read(_HEAD_BYTES)
    except OSError:
        return False


def within(path: StrPath, folder: StrPath) -> bool:
    """Return whether a path is a folder or lies below it, once symbolic links are followed."""
    root = osp.realpath(folder)
    return osp.commonpath([root, osp.realpath(path)]) == root


def safe_name(name: object) -> TypeGuard[str]:
    """Return whether a name is a normalised path that stays below a folder."""
    return (
        isinstance(name, str)
        and '\0' not in name
        and not os.path.isabs(name)
        and all(part not in ('', '.', '..') for part in name.split('/'))
    )
