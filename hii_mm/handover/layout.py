"""Names of the files of an encrypted copy, and how to recognise a copy."""

from __future__ import annotations

import glob
import os
import os.path as osp
import stat
from typing import TypeGuard

from ..files import StrPath

WORK = '.hii-mm'  # folder of an unfinished run: journals, locks, temporary files
DATASET = 'dataset-id'  # file in WORK
MANIFEST = 'manifest.json'
REJECTS = 'rejects.jsonl'
ANNOTATIONS = 'annotations'
UPDATES = 'updates.jsonl'
UPDATE_JOURNAL = 'update.jsonl'  # file in WORK
NEXT = 'next'  # folder in WORK: what an update will put into the copy
WORK_OUT = '.hii-mm-decrypt'  # folder in OUT while a decryption runs
RESERVED = frozenset({WORK, MANIFEST, REJECTS, UPDATES, ANNOTATIONS, WORK_OUT})
_HEAD_BYTES = 64  # enough for the first line of a manifest, and the first words of a journal


def copy_around(path: StrPath) -> str | None:
    """Return the encrypted copy, finished or not, that contains a path; None if there is none.

    Args:
        path: a file or folder, which need not exist.
    """
    folder = osp.realpath(path)
    while True:
        if _is_unfinished(folder) or _begins(osp.join(folder, MANIFEST), b'"hii-mm manifest"'):
            return folder
        if folder == osp.dirname(folder):
            return None
        folder = osp.dirname(folder)


def journals(dst: str) -> list[str]:
    """Return the paths of the journals in DST, sorted."""
    return sorted(glob.glob(osp.join(glob.escape(osp.join(dst, WORK)), 'part-*-of-*.jsonl')))


def _is_unfinished(folder: str) -> bool:
    """Return whether a folder holds a run: a source may hold a folder named ``WORK``, too."""
    return any(_begins(path, b'{"run": ') for path in journals(folder))


def _begins(path: str, words: bytes) -> bool:
    """Return whether a regular file has some words in its first bytes."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, 'rb') as file:
            return words in file.read(_HEAD_BYTES)
    except OSError:
        return False


def within(path: StrPath, folder: StrPath) -> bool:
    """Return whether a path is a folder or lies below it, once symbolic links are followed."""
    root = osp.realpath(folder)
    return osp.commonpath([root, osp.realpath(path)]) == root


def safe_name(name: object) -> TypeGuard[str]:
    """Return whether a name is a normalised path that stays below a folder, and that a file system can take."""
    if not isinstance(name, str) or '\0' in name or not (name.isascii() or _encodes(name)):
        return False
    path = f'/{name}/'
    return '//' not in path and '/./' not in path and '/../' not in path


def _encodes(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # half a character, as in "\\ud800" of a JSON file
        return False
    return True
