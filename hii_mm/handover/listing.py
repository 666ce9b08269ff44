"""The source files of a run in the order of their new names, in a temporary file: a million of them need no memory."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os.path as osp
import unicodedata
from collections.abc import Iterable, Iterator
from operator import itemgetter

from ..encryption.keys import MasterKey
from . import names
from .names import Entry
from .settings import Settings
from .sorting import Hashes, Sorted
from .temporary import NameTable, raw, text

Found = Iterable[tuple[str, str | None]]
_FOLDERS = 1024  # names of folders that are remembered


class Listing:
    """The entry of each file, sorted by its new name.

    Of two files whose ids differ only in case, the first in the order of paths keeps its
    name and the other is rejected: they would be one file on many file systems. A
    file whose new name is also the name of a folder is rejected, too.

    An entry is stored as its name, file and, if it is rejected, reason, with a zero byte
    between them: no name holds one, and so the order of the entries is that of the names.
    The temporary file holds about two paths for each file.

    Args:
        found: (path below SRC, None or why it is rejected), in any order, as :func:`.sources.scan` yields.
        settings: of the copy.
        key: for pseudonyms.
        flat: with ``rename``: leave all folders out, as they are no classes.

    Raises:
        OSError: the temporary file cannot be written.
    """

    def __init__(self, found: Found, settings: Settings, key: MasterKey, flat: bool = False) -> None:
        self._settings, self._key, self._flat = settings, key, flat
        self._mark, self._like_images = f'{settings.extension}/', False  # whether a folder is named like an image
        self._folder = functools.lru_cache(_FOLDERS)(self._new_folder)
        with contextlib.closing(Hashes()) as hashes:
            self._entries = Sorted(self._encoded(found, hashes))
            repeated = hashes.repeated()
        if repeated:
            self._change(self._repeated(repeated))
        if self._like_images:
            self._change(self._clashes())

    def close(self) -> None:
        """Remove the temporary file."""
        self._entries.close()

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._entries)

    def __getitem__(self, number: int) -> Entry:
        """Return the entry of a file, by its number from 0."""
        return _entry(self._entries[number])

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in order."""
        return map(_entry, self._entries)

    def texts(self) -> Iterator[bytes]:
        """Yield parts of one long text: the entries as they are stored, each with two zero bytes behind it."""
        return self._entries.texts()

    def _encoded(self, found: Found, hashes: Hashes) -> Iterator[bytes]:
        """Yield files as entries; adds a hash of what only one file may have to ``hashes``."""
        extension, rename = self._settings.extension, self._settings.rename
        for file, reason in found:
            simple = names.simple_file(file) if reason is None else None
            if simple is None:
                yield self._odd(file, reason, hashes)
                continue
            image_id = simple[1]
            hashes.add(hash(image_id.lower()))
            yield f'{self._pseudonym(image_id) if rename else image_id}{extension}\0{file}'.encode()

    def _odd(self, file: str, reason: str | None, hashes: Hashes) -> bytes:
        """Return a file that must be looked at closely as an entry; see :meth:`_encoded`."""
        image_id, extension = osp.splitext(file)
        reason = reason or names.reject_reason(image_id, extension, self._settings)
        if reason is not None:
            return raw('\0'.join((self._reported(file), file, reason)))
        folded = _folded(image_id)
        self._like_images = self._like_images or self._mark in folded
        hashes.add(hash(folded))
        if self._settings.rename:
            return raw(f'{self._pseudonym(image_id)}{self._settings.extension}\0{file}')
        return raw(f'{names.to_name(image_id, self._settings)}\0{file}')

    def _pseudonym(self, image_id: str) -> str:
        """Return the new name without its extension."""
        folder = '' if self._flat else self._folder(osp.dirname(image_id))
        return osp.join(folder, names.pseudonym(self._key, image_id, str(self._settings.dataset_id)))

    def _new_folder(self, folder: str) -> str:
        """Return the new name of a folder; '' stays."""
        return names.renamed_folder(folder, self._key, self._settings) if folder else ''

    def _reported(self, file: str) -> str:
        """Return the name of a file that is rejected."""
        return names.reported_name(file, self._key, self._settings)

    def _change(self, changes: Iterable[tuple[str, str]]) -> None:
        """Reject files, given as (path below SRC, reason)."""
        with contextlib.closing(NameTable()) as reasons, contextlib.closing(self._entries):
            reasons.update(changes)
            self._entries = Sorted(self._changed(entry, reasons) for entry in self._entries)

    def _changed(self, data: bytes, reasons: NameTable) -> bytes:
        """Return an entry, rejected if there is a reason to."""
        entry = _entry(data)
        reason = reasons.get(entry.file) if entry.reason is None else None
        return data if reason is None else raw('\0'.join((self._reported(entry.file), entry.file, reason)))

    def _repeated(self, hashes: set[int]) -> Iterator[tuple[str, str]]:
        """Yield (file, reason) of each file whose id another one has already.

        Args:
            hashes: what such ids, and perhaps a few others, have.
        """
        found = ((_folded(entry.image_id), entry.file) for entry in self if entry.reason is None)
        some = (raw('\0'.join(pair)) for pair in found if hash(pair[0]) in hashes)
        with contextlib.closing(Sorted(some)) as rows:
            for _, group in itertools.groupby((text(row).split('\0') for row in rows), key=itemgetter(0)):
                (_, kept), *others = group
                for _, file in others:
                    yield file, f'differs from {self._reported(kept)!r} only in case or extension'

    def _clashes(self) -> Iterator[tuple[str, str]]:
        """Yield (file, reason) of each image whose name is the name of a folder."""
        folders = set[str]()
        for entry in self:
            folder = osp.dirname(entry.name).casefold() if entry.reason is None else ''
            while folder:
                if folder.endswith(self._settings.extension):
                    folders.add(folder)
                folder = osp.dirname(folder)
        for entry in self:
            if entry.reason is None and entry.name.casefold() in folders:
                yield entry.file, f'{entry.name!r} is also the name of a folder'


def _entry(data: bytes) -> Entry:
    return Entry(*text(data).split('\0', 2))


def _folded(image_id: str) -> str:
    """Return what two ids have in common that are one on many file systems."""
    return image_id.lower() if image_id.isascii() else unicodedata.normalize('NFC', image_id).casefold()
