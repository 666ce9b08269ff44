"""Source files and their names in the copy."""

from __future__ import annotations

import contextlib
import json
import os
import os.path as osp
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from ..encryption.keyed import dataset_bytes, id_bytes
from ..encryption.keys import MasterKey
from ..errors import KeyFileError
from ..files import StrPath, fsync_folder, locked, write_atomically
from .layout import RESERVED
from .parsing import parse_lines
from .settings import Settings
from .temporary import NameTable

JOINER = '\u200d'  # in the names of some emoji
MAX_NAME = 255  # bytes, on most file systems
_SIMPLE = r'\w ()+,=@~&#-'  # in ASCII; what needs no second look in a name
_SIMPLE_ID = (  # in tar files a dot becomes three characters
    rf'(?!(?:{"|".join(map(re.escape, sorted(RESERVED)))})(?:[./]|\Z))[/{_SIMPLE}]{{0,{MAX_NAME // 4 - 1}}}[{_SIMPLE}]'
)
_is_simple = re.compile(_SIMPLE_ID, re.ASCII).fullmatch
NOT_IMAGES = frozenset(
    {'', '.txt', '.json', '.csv', '.xml', '.md', '.html', '.pdf', '.zip', '.db', '.ini', '.yaml', '.yml'}
)
_not_images = '|'.join(extension[1:] for extension in sorted(NOT_IMAGES - {''}))
# matches a path that any copy takes, as most are; the image id and the extension are the groups 1 and 2
simple_file = re.compile(rf'({_SIMPLE_ID})(\.(?!(?i:{_not_images})\Z)\w{{1,8}})', re.ASCII).fullmatch


class Entry(NamedTuple):
    """A file of SRC.

    Attributes:
        name: the name in DST; for a rejected file, the name to report.
        file: the path below SRC.
        reason: why it is rejected, or None.
    """

    name: str
    file: str
    reason: str | None = None

    @property
    def image_id(self) -> str:
        """The id that the plan is derived from: the path below SRC without the extension."""
        return osp.splitext(self.file)[0]


def pseudonym(key: MasterKey, image_id: str, dataset_id: str | bytes) -> str:
    """Return 32 hex digits that replace a file name; they can be computed from the key and the ids."""
    return key.derive('hii-mm file name v2', dataset_bytes(dataset_id), id_bytes(image_id), length=16).hex()


def folder_pseudonym(key: MasterKey, folder: str) -> str:
    """Return 32 hex digits that replace the name of a folder, given by its path below SRC.

    They do not depend on the id of the data set, so that the class folders of
    several copies under one key agree.
    """
    return key.derive('hii-mm folder name v1', id_bytes(folder), length=16).hex()


def renamed_folder(folder: str, key: MasterKey, settings: Settings) -> str:
    """Return the folder of renamed files: a pseudonym for each name on the path, except for classes that are kept."""
    parts = folder.split('/')
    paths = ['/'.join(parts[: i + 1]) for i in range(len(parts))]
    kept = 1 if settings.keep_class_names else 0
    return '/'.join([*parts[:kept], *(folder_pseudonym(key, path) for path in paths[kept:])])


def to_name(image_id: str, settings: Settings) -> str:
    """Return the name in DST. In tar files a dot ends a sample's name, so dots within the name become %2E."""
    if settings.format == 'shards' and ('.' in image_id or '%' in image_id):
        folder, stem = osp.split(image_id)
        image_id = osp.join(folder, stem.replace('%', '%25').replace('.', '%2E'))
    return image_id + settings.extension


def to_id(name: str, settings: Settings) -> str:
    """Return the image id of a name; the inverse of :func:`to_name`."""
    folder, stem = osp.split(name.removesuffix(settings.extension))
    if settings.format == 'shards':
        stem = stem.replace('%2E', '.').replace('%25', '%')
    return osp.join(folder, stem)


def reported_name(file: str, key: MasterKey, settings: Settings) -> str:
    """Return the name of a source file that the trainer may see."""
    return pseudonym(key, osp.splitext(file)[0], str(settings.dataset_id)) if settings.rename else file


def source_name(name: str, settings: Settings) -> str:
    """Return what an encrypted image and its source have in common: a group of :func:`.sources.sources_of`."""
    return osp.splitext(osp.basename(name))[0] if settings.rename else to_id(name, settings)


def reject_reason(image_id: str, extension: str, settings: Settings) -> str | None:
    """Return why a path cannot be encrypted, or None."""
    if extension.lower() in NOT_IMAGES:
        return 'not the extension of an image'
    if _is_simple(image_id):
        return None
    parts = image_id.split('/')
    kept = parts
    if settings.rename:
        kept = parts[:-1][: 1 if settings.keep_class_names else 0]
    if kept and kept[0] in RESERVED:
        return f'the name {kept[0]!r} is reserved in encrypted copies'
    for part in kept:
        if _is_longer(part, MAX_NAME):
            return f'a folder or file name of more than {MAX_NAME} bytes; use --rename'
        if not all(c.isprintable() or c in JOINER or unicodedata.category(c) == 'Zs' for c in part):
            return 'control characters or invalid UTF-8 in its name' + ('' if settings.rename else '; use --rename')
    if not settings.rename and _is_longer(to_name(parts[-1], settings), MAX_NAME):
        return f'its name with {settings.extension} is longer than {MAX_NAME} bytes; use --rename'
    return None


def _is_longer(name: str, most: int) -> bool:
    """Return whether a name has more than so many bytes; a character has at most 4."""
    return 4 * len(name) > most and len(os.fsencode(name)) > most


class _NameRow(msgspec.Struct):
    name: str
    file: str


class NameMap:
    """The owner's file of pseudonyms: JSON Lines with the name and the path below SRC. Mode 0600.

    Args:
        path: the file, which need not exist yet.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = os.fspath(path)

    def read(self) -> dict[str, str]:
        """Return ``{pseudonym without folder and extension: path below SRC}``.

        Raises:
            KeyFileError: the file is missing or damaged.
        """
        return dict(self._rows())

    @contextlib.contextmanager
    def opened(self) -> Iterator[NameTable]:
        """Hold what :meth:`read` returns in a temporary file."""
        with contextlib.closing(NameTable()) as table:
            table.update(self._rows())
            yield table

    def add(self, rows: Iterable[tuple[str, str]]) -> None:
        """Add (pseudonym, path below SRC); the rows of other runs stay.

        Raises:
            KeyFileError: the file exists and is damaged.
        """
        with locked(self.path + '.lock', wait=True), contextlib.closing(NameTable()) as known:
            if osp.exists(self.path):
                known.update(self._rows())
            if known.update(rows):
                lines = (json.dumps({'name': name, 'file': file}).encode() + b'\n' for name, file in known)
                write_atomically(self.path, lines, mode=0o600)
                fsync_folder(osp.dirname(self.path) or '.')

    def _rows(self) -> Iterator[tuple[str, str]]:
        return ((row.name, row.file) for row in parse_lines(self.path, _NameRow, KeyFileError))
