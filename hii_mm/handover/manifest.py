"""``manifest.json``: the description of an encrypted copy. docs/reference/format.md has the schema.

It is written and read line by line, so that a million images need no memory:
one line for each value of the head, one for each image, and two for the
checksum and the signature of everything above.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import os.path as osp
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, BinaryIO

import msgspec

from ..encryption.keys import MasterKey
from ..errors import ManifestError, UsageError
from ..files import StrPath, open_regular
from .layout import MANIFEST, WORK
from .parsing import convert, parse, parse_row
from .rows import FileRow, Row, to_json
from .settings import Settings

SCHEMA, VERSION = 'hii-mm manifest', 2
MAX_LINE = 1 << 20  # bytes
MAX_HEAD = 64 * MAX_LINE
_ROWS = b'"images": [\n'
_LEAST_ROW = 64  # bytes of an image's row at least
_OF_THE_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG)
_SHOWN = 80  # bytes of a damaged line in a message


def lines(head: Mapping[str, Any], rows: Iterable[Row], key: MasterKey) -> Iterator[bytes]:
    """Yield the lines of a manifest.

    Args:
        head: JSON values above the rows, without schema and version.
        rows: one for each image.
        key: signs the manifest.
    """
    sums = _Sums(key)
    yield sums.add(f'{{"schema": {json.dumps(SCHEMA)},\n"version": {VERSION},\n'.encode())
    for name, value in head.items():
        yield sums.add(f'{json.dumps(name)}: {json.dumps(value)},\n'.encode())
    yield sums.add(_ROWS)
    separator = b''
    for row in rows:
        yield sums.add(separator + to_json(row))
        separator = b',\n'
    yield sums.add(b'\n],\n' if separator else b'],\n')
    yield _tail(sums.sha256, sums.hmac)


class _Sums:
    """The checksum and the signature of the lines so far."""

    def __init__(self, key: MasterKey | None) -> None:
        self._digest = hashlib.sha256()
        self._mac = hmac.new(key.derive('hii-mm manifest v1') if key else b'', digestmod='sha256')

    def add(self, line: bytes) -> bytes:
        """Include a line; returns it."""
        self._digest.update(line)
        self._mac.update(line)
        return line

    @property
    def sha256(self) -> str:
        """Hex SHA-256."""
        return self._digest.hexdigest()

    @property
    def hmac(self) -> str:
        """Hex HMAC-SHA256."""
        return self._mac.hexdigest()


def _tail(sha256: str, mac: str) -> bytes:
    """Return the last two lines."""
    return f'"sha256": "{sha256}",\n"hmac": "{mac}"}}\n'.encode()


class Counts(msgspec.Struct):
    """Numbers of encrypted and of rejected source files."""

    images: int
    rejected: int


class _Head(msgspec.Struct):
    """Required fields of a head; the rest is for people."""

    key_fingerprint: str
    dataset_id: Annotated[str, msgspec.Meta(pattern='^[0-9a-f]{32}$')]
    parameters: dict[str, Any]
    counts: Counts
    files: list[FileRow]
    listing: str = ''


_Hex = Annotated[str, msgspec.Meta(pattern='^[0-9a-f]{64}$')]


class _Tail(msgspec.Struct):
    sha256: _Hex
    hmac: _Hex


class Manifest:
    """A manifest: the head at once, the rows when asked for.

    Args:
        folder: the copy.

    Attributes:
        path: of the file.
        head: all values above the rows, as they are in the file.
        settings: the ``parameters``, with the ``dataset_id``.
        key_fingerprint: of the key that made the copy.
        dataset_id: of the data set, 32 hex digits.
        counts: of source files.
        files: of the copy that are not images.
        listing: keyed checksum of the source files.

    Raises:
        ManifestError: missing, or not in the format that :func:`lines` writes.
    """

    def __init__(self, folder: StrPath) -> None:
        self.path = f'{os.fspath(folder)}/{MANIFEST}'
        with self._open() as file:
            self.head = self._read_head(file)
            size = os.fstat(file.fileno()).st_size
        head = convert(self.head, _Head, repr(self.path), ManifestError)
        if head.counts.images * _LEAST_ROW > size:
            raise ManifestError(
                f'{self.path!r}: counts {head.counts.images} images, more than its {size} bytes can list'
            )
        try:
            self.settings = replace(Settings.from_json(head.parameters), dataset_id=head.dataset_id)
        except UsageError as error:
            raise ManifestError(f'{self.path!r}: {error}') from None
        self.key_fingerprint, self.listing = head.key_fingerprint, head.listing
        self.dataset_id = head.dataset_id
        self.counts, self.files = head.counts, head.files
        self._sha256 = ''

    def _open(self) -> BinaryIO:
        try:
            return open_regular(self.path)
        except OSError as error:
            if error.errno not in _OF_THE_FILE:
                raise
            raise ManifestError(self._why_missing(error)) from None

    def _why_missing(self, error: OSError) -> str:
        """Return why the manifest is missing, and what to do."""
        folder = osp.dirname(self.path)
        if not osp.isdir(folder):
            return f'folder not found: {folder!r}'
        if osp.isdir(osp.join(folder, WORK)):
            return (
                f'{folder!r} is unfinished: continue it with hii-mm encrypt --resume, '
                'or close its parts with hii-mm manifest merge'
            )
        if isinstance(error, FileNotFoundError):
            return f'{folder!r} has no {MANIFEST}: it is not an encrypted copy, or the manifest was removed'
        return f'{self.path!r} cannot be read: {error.strerror}'

    def _read_head(self, file: BinaryIO) -> dict[str, Any]:
        """Return the values above the rows."""
        text, size = [], 0
        for line in iter(lambda: file.readline(MAX_LINE), b''):
            text.append(line)
            size += len(line)
            if line == _ROWS or size > MAX_HEAD:
                break
        head = parse(b''.join(text) + b']}', dict[str, Any], f'{self.path!r} is not a manifest', ManifestError)
        found = head.get('schema'), head.get('version')
        if found != (SCHEMA, VERSION):
            raise ManifestError(
                f'{self.path!r} is not a manifest of a known version: it is {found[0]!r}, version {found[1]!r}; '
                f'supported is {SCHEMA!r}, version {VERSION}'
            )
        return head

    def rows(self, key: MasterKey | None = None) -> Iterator[Row]:
        """Yield the row of each image; after the last one, check the sums.

        Args:
            key: to check the signature; without it only the checksum is
                checked, which finds damage but not forgery.

        Raises:
            ManifestError: a damaged line, or a wrong sum.
        """
        sums = _Sums(key)
        with self._open() as file:
            rows = False
            for line in iter(lambda: file.readline(MAX_LINE), b''):
                if rows and line.startswith(b'"sha256"'):
                    self._check_sums(line + file.read(MAX_LINE), sums, signed=key is not None)
                    return
                sums.add(line)
                if rows and line != b'],\n':
                    what = f'{self.path!r} has a damaged line, {line[:_SHOWN]!r}'
                    yield parse_row(line.rstrip(b',\n'), Row, what, ManifestError)
                rows = rows or line == _ROWS
        raise ManifestError(f'{self.path!r} is truncated: the checksum at its end is missing')

    def check(self, key: MasterKey | None = None) -> str:
        """Read all rows and check the sums, see :meth:`rows`.

        Returns:
            The SHA-256 of the manifest.

        Raises:
            ManifestError: as :meth:`rows`.
        """
        for _ in self.rows(key):
            pass
        return self._sha256

    def _check_sums(self, tail: bytes, sums: _Sums, signed: bool) -> None:
        """Raise ManifestError where the last two lines are not the sums of all others."""
        found = parse(b'{' + tail, _Tail, f'{self.path!r} has no checksum at its end', ManifestError)
        if found.sha256 != sums.sha256 or tail != _tail(found.sha256, found.hmac):
            raise ManifestError(f'{self.path!r} was changed: its SHA-256 does not match its content')
        if signed and not hmac.compare_digest(found.hmac, sums.hmac):
            raise ManifestError(f'{self.path!r} was changed or made with another key: its HMAC is wrong')
        self._sha256 = found.sha256
