"""Tables in a temporary file without a name, so that what is known of a million files needs no memory.

The file lies in the folder for temporary files (``$SQLITE_TMPDIR``, ``$TMPDIR``, /var/tmp, /tmp) and
is gone when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from operator import itemgetter

_CACHE = 4096  # KiB of memory for pages and for sorting


class Temporary:
    """A database that is written to a temporary file where it does not fit into 4 MiB."""

    def __init__(self) -> None:
        with system_errors():
            self._db = sqlite3.connect('', isolation_level=None)
            self._db.execute(f'PRAGMA cache_size = -{_CACHE}')
            self._db.execute('PRAGMA journal_mode = OFF')  # nothing is rolled back
            self._db.execute('BEGIN')  # a transaction that never ends

    def close(self) -> None:
        """Remove the temporary file."""
        self._db.close()


class Names(Temporary):
    """A set of names."""

    def __init__(self) -> None:
        super().__init__()
        with system_errors():
            self._db.execute('CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID')

    def add(self, name: str) -> bool:
        """Add a name; returns whether it is new.

        Raises:
            OSError: the temporary file cannot be written.
        """
        with system_errors():
            return self._db.execute('INSERT OR IGNORE INTO names VALUES (?)', (raw(name),)).rowcount > 0

    def __contains__(self, name: str) -> bool:
        """Return whether a name is there."""
        with system_errors():
            return self._db.execute('SELECT 1 FROM names WHERE name = ?', (raw(name),)).fetchone() is not None


class NameTable(Temporary):
    """A dict of names to strings, iterated in the order of the names."""

    def __init__(self) -> None:
        super().__init__()
        with system_errors():
            self._db.execute('CREATE TABLE names (name BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID')

    def update(self, rows: Iterable[tuple[str, str]]) -> int:
        """Add (name, value); of a name that is there the value is replaced. Returns how many rows that changed.

        Raises:
            OSError: the temporary file cannot be written.
        """
        before = self._db.total_changes
        with system_errors():
            self._db.executemany(
                'INSERT INTO names VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value '
                'WHERE value != excluded.value',
                ((raw(name), raw(value)) for name, value in rows),
            )
        return self._db.total_changes - before

    def get(self, name: str) -> str | None:
        """Return the value of a name, or None."""
        with system_errors():
            found = self._db.execute('SELECT value FROM names WHERE name = ?', (raw(name),)).fetchone()
        return None if found is None else text(found[0])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield (name, value), sorted by name."""
        with system_errors():
            for name, value in self._db.execute('SELECT name, value FROM names ORDER BY name'):
                yield text(name), text(value)


class Groups(Temporary):
    """Strings in groups, each of which is taken out once.

    Args:
        rows: (group, string) in any order.

    Raises:
        OSError: the temporary file cannot be written.
    """

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        with system_errors():
            self._db.execute('CREATE TABLE rows (name BLOB, value BLOB)')
            self._db.executemany('INSERT INTO rows VALUES (?, ?)', ((raw(name), raw(value)) for name, value in rows))
            self._db.execute('CREATE INDEX of_group ON rows (name)')

    def pop(self, name: str) -> list[str]:
        """Take out the strings of a group, sorted; [] where there are none, or no more."""
        with system_errors():
            found = self._db.execute('SELECT value FROM rows WHERE name = ? ORDER BY value', (raw(name),)).fetchall()
            if found:
                self._db.execute('DELETE FROM rows WHERE name = ?', (raw(name),))
        return [text(value) for (value,) in found]

    def left(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the groups that were not taken out, each with its strings, sorted."""
        with system_errors():
            rows = self._db.execute('SELECT name, value FROM rows ORDER BY name, value')
            for name, group in itertools.groupby(rows, key=itemgetter(0)):
                yield text(name), [text(value) for _, value in group]


@contextlib.contextmanager
def system_errors() -> Iterator[None]:
    """Raise SQLite's errors, such as a full disk, as system errors.

    Raises:
        OSError: what SQLite says.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = errno.ENOSPC if 'full' in str(error) else errno.EIO
        raise OSError(code, f'{error}; choose another folder with TMPDIR', 'temporary file of names') from None


def text(data: bytes) -> str:
    """Return what :func:`raw` was given."""
    return data.decode('utf-8', 'surrogatepass')


def raw(name: str) -> bytes:
    """Return a name as bytes of the same order; half characters, which stand for other bytes in names, are kept."""
    return name.encode('utf-8', 'surrogatepass')
