"""The source files of a run in the order of their new names, in a temporary file: a million of them need no memory."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os.path as osp
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from operator import itemgetter

from ..encryption.keys import MasterKey
from . import names
from .names import Entry
from .settings import Settings

Found = Iterable[tuple[str, str | None]]
_Text = str | bytes  # bytes for what UTF-8 cannot hold: half characters, which stand for other bytes
_Row = tuple[_Text | None, _Text, _Text, str | None]
_CACHE = 4096  # KiB of memory for pages and for sorting
_FOLDERS = 1024  # names of folders that are remembered
_INSERT = 'INSERT INTO found VALUES (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?)'
_RENAME = 'UPDATE found SET name = CAST(? AS TEXT), reason = ? WHERE rowid = ?'
_TWICE = """
    SELECT folded, file, rowid FROM found
    WHERE folded IN (SELECT folded FROM found WHERE folded IS NOT NULL GROUP BY folded HAVING count(*) > 1)
    ORDER BY folded, file
"""


class Listing:
    """The entry of each file, sorted by its new name.

    Of two files whose ids differ only in case, the first in the order of paths keeps its
    name and the other is rejected: they would be one file on many file systems. A
    file whose new name is also the name of a folder is rejected, too.

    The entries lie in an SQLite file without a name, in the folder for temporary files
    (``$SQLITE_TMPDIR``, ``$TMPDIR``, /var/tmp, /tmp), of about 200 bytes for each file.

    Args:
        found: (path below SRC, None or why it is rejected), in any order, as :func:`.names.scan` yields.
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
        with _errors():
            self._db = _temporary()
            self._db.execute('CREATE TABLE found (folded TEXT, name TEXT, file TEXT, reason TEXT)')
            self._db.executemany(_INSERT, map(self._row, found))
            self._db.executemany(_RENAME, self._repeated())
            self._db.execute('CREATE TABLE listing (name TEXT, file TEXT, reason TEXT)')
            self._db.execute('INSERT INTO listing SELECT name, file, reason FROM found ORDER BY name, file')
            self._db.execute('DROP TABLE found')
            if self._like_images:
                self._db.executemany('UPDATE listing SET reason = ? WHERE rowid = ?', list(self._clashes()))
            self._length: int = self._db.execute('SELECT count(*) FROM listing').fetchone()[0]

    def close(self) -> None:
        """Remove the temporary file."""
        self._db.close()

    def __len__(self) -> int:
        """Return the number of files."""
        return self._length

    def __getitem__(self, number: int) -> Entry:
        """Return the entry of a file, by its number from 0."""
        with _errors():
            found = self._db.execute('SELECT name, file, reason FROM listing WHERE rowid = ?', (number + 1,)).fetchone()
        if found is None:
            raise IndexError(number)
        return Entry(*found)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in order."""
        with _errors():
            yield from map(Entry._make, self._db.execute('SELECT name, file, reason FROM listing'))

    def _row(self, found: tuple[str, str | None]) -> _Row:
        """Return a file as a row of ``found``."""
        file, reason = found
        image_id, extension = osp.splitext(file)
        reason = reason or names.reject_reason(image_id, extension, self._settings)
        if reason is not None:
            return None, self._reported(file), self._plain(file), reason
        folded = image_id.lower() if image_id.isascii() else unicodedata.normalize('NFC', image_id).casefold()
        self._like_images = self._like_images or self._mark in folded
        if not self._settings.rename:
            name = names.to_name(image_id, self._settings)
        else:
            folder = '' if self._flat else self._folder(osp.dirname(image_id))
            name = osp.join(folder, self._pseudonym(image_id)) + self._settings.extension
        if file.isascii():  # most files; this is fast
            return folded, name, file, None
        return self._plain(folded), self._plain(name), self._plain(file), None

    def _plain(self, text: str) -> _Text:
        """Return text as SQLite takes it."""
        try:
            text.encode()
        except UnicodeEncodeError:
            self._db.text_factory = _text
            return _raw(text)
        return text

    def _pseudonym(self, image_id: str) -> str:
        return names.pseudonym(self._key, image_id, str(self._settings.dataset_id))

    def _new_folder(self, folder: str) -> str:
        """Return the new name of a folder; '' stays."""
        return names.renamed_folder(folder, self._key, self._settings) if folder else ''

    def _reported(self, file: str) -> _Text:
        """Return the name of a file that is rejected."""
        return self._plain(names.reported_name(file, self._key, self._settings))

    def _repeated(self) -> Iterator[tuple[_Text, str, int]]:
        """Yield (name, reason, row of ``found``) of each file whose id another one has already."""
        for _, rows in itertools.groupby(self._db.execute(_TWICE), key=itemgetter(0)):
            (_, kept, _), *others = rows
            first = names.reported_name(kept, self._key, self._settings)
            for _, file, row in others:
                yield self._reported(file), f'differs from {first!r} only in case or extension', row

    def _clashes(self) -> Iterator[tuple[str, int]]:
        """Yield (reason, row of ``listing``) of each image whose name is the name of a folder."""
        folders = set[str]()
        for entry in self:
            folder = osp.dirname(entry.name).casefold() if entry.reason is None else ''
            while folder:
                if folder.endswith(self._settings.extension):
                    folders.add(folder)
                folder = osp.dirname(folder)
        for row, entry in enumerate(self, 1):
            if entry.reason is None and entry.name.casefold() in folders:
                yield f'{entry.name!r} is also the name of a folder', row


class Names:
    """A set of names in a temporary file, as :class:`Listing` has one."""

    def __init__(self) -> None:
        with _errors():
            self._db = _temporary()
            self._db.execute('CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID')

    def add(self, name: str) -> bool:
        """Add a name; returns whether it is new.

        Raises:
            OSError: the temporary file cannot be written.
        """
        with _errors():
            return self._db.execute('INSERT OR IGNORE INTO names VALUES (?)', (_raw(name),)).rowcount > 0

    def __contains__(self, name: str) -> bool:
        """Return whether a name is there."""
        with _errors():
            return self._db.execute('SELECT 1 FROM names WHERE name = ?', (_raw(name),)).fetchone() is not None

    def close(self) -> None:
        """Remove the temporary file."""
        self._db.close()


def _temporary() -> sqlite3.Connection:
    """Return a database in a file without a name, within a transaction that never ends."""
    database = sqlite3.connect('', isolation_level=None)
    database.execute(f'PRAGMA cache_size = -{_CACHE}')
    database.execute('PRAGMA journal_mode = OFF')  # nothing is rolled back
    database.execute('BEGIN')
    return database


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raise SQLite's errors, such as a full disk, as system errors.

    Raises:
        OSError: what SQLite says.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = errno.ENOSPC if 'full' in str(error) else errno.EIO
        raise OSError(code, f'{error}; choose another folder with TMPDIR', 'temporary file of the listing') from None


def _text(data: bytes) -> str:
    return data.decode('utf-8', 'surrogatepass')


def _raw(text: str) -> bytes:
    return text.encode('utf-8', 'surrogatepass')
