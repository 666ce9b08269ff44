"""Find the files of a source folder."""

from __future__ import annotations

import errno
import itertools
import os
import os.path as osp
from collections.abc import Iterator
from operator import attrgetter

from ..encryption.keys import MasterKey
from .names import pseudonym, reject_reason
from .settings import Settings
from .temporary import Groups

_SORTED = 4096  # entries of a folder that are sorted at once


def scan(src: str) -> Iterator[tuple[str, str | None]]:
    """Yield each file of a folder; links to folders are not followed.

    The order is nearly that of the names, which saves time where they are sorted later.

    Yields:
        The path below ``src``, and None or why it is rejected.

    Raises:
        OSError: a folder that cannot be read.
    """
    folders = ['']
    while folders:
        below = folders.pop()
        try:
            found = os.scandir(osp.join(src, below))
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            yield below, 'a folder whose path is too long'
            continue
        with found:
            prefix, inner = f'{below}/' if below else '', list[str]()
            while some := sorted(itertools.islice(found, _SORTED), key=attrgetter('name')):
                for item in some:
                    path = prefix + item.name
                    if not _is_folder(item):
                        yield path, None
                    elif item.is_symlink():
                        yield path, 'a symbolic link to a folder, which is not followed'
                    else:
                        inner.append(path)
            folders += sorted(inner, reverse=True)


def _is_folder(item: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one; False where it cannot be told."""
    try:
        return item.is_dir()
    except OSError:
        return False


def sources_of(src: str, settings: Settings, key: MasterKey | None) -> Groups:
    """Return the paths below SRC of everything that an image of the copy could come from.

    The name of a group is the image id, or the pseudonym with ``rename``.

    Args:
        src: the real path of the source folder.
        settings: of the copy.
        key: for pseudonyms; may be None without ``rename``.

    Raises:
        OSError: a folder that cannot be read, or a temporary file that cannot be written.
    """

    def name(file: str) -> str:
        image_id = osp.splitext(file)[0]
        if settings.rename and key is not None:
            return pseudonym(key, image_id, str(settings.dataset_id))
        return image_id

    return Groups((name(file), file) for file, reason in scan(src) if reason is None)


def images_first(files: list[str], settings: Settings) -> list[str]:
    """Return files of one name sorted, images before others, such as labels."""
    return sorted(files, key=lambda file: (reject_reason(*osp.splitext(file), settings) is not None, file))
