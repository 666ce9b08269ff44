"""Results on disk: what is done already, and the pictures."""

from __future__ import annotations

import hashlib
import io
import json
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...files import StrPath, write_atomically
from ..solver.pieces import as_uint8

Row = dict[str, Any]  # of one result; the fields are in docs/reference/report_format.md


class Pictures:
    """The pictures of a report, in ``images/``.

    Args:
        folder: of the report; created if missing.
    """

    def __init__(self, folder: StrPath) -> None:
        self.folder = Path(folder)
        (self.folder / 'images').mkdir(parents=True, exist_ok=True)

    def save(self, kind: str, picture: np.ndarray) -> str:
        """Write a picture as PNG, once for each content, and return its name within the folder."""
        content = hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()[:16]
        name = f'images/{kind}-{content}.png'
        if not (self.folder / name).is_file():
            file = io.BytesIO()
            Image.fromarray(as_uint8(picture)).save(file, format='PNG')
            write_atomically(self.folder / name, file.getvalue())
        return name


class Store(Pictures):
    """The folder of a report: ``results.jsonl``, one line for each result, and ``images/``.

    Args:
        folder: created if missing.
    """

    def __init__(self, folder: StrPath) -> None:
        super().__init__(folder)
        self._rows = self._read()

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def get(self, key: str) -> Row | None:
        """Return the result of a key, if it is there with its pictures."""
        row = self._rows.get(key)
        if row is None or not all((self.folder / name).is_file() for name in row['pictures'].values()):
            return None
        return row

    def add(self, row: Row) -> None:
        """Append a result; it is on disk when this returns.

        Raises:
            TypeError, ValueError: content that JSON cannot hold.
        """
        line = json.dumps(row, allow_nan=False) + '\n'
        self._rows[row['key']] = row
        with open(self.folder / 'results.jsonl', 'a', encoding='utf-8') as file:
            file.write(line)

    def _read(self) -> dict[str, Row]:
        """Return the results of earlier runs; a last line that was cut off is left out."""
        rows: dict[str, Row] = {}
        path = self.folder / 'results.jsonl'
        for line in path.read_text(encoding='utf-8').splitlines() if path.is_file() else ():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            rows[row['key']] = row
        return rows


class Digests:
    """SHA-256 of arrays and files; what is still in memory is hashed once."""

    def __init__(self) -> None:
        self._arrays: dict[int, tuple[weakref.ref[np.ndarray], str]] = {}
        self._files: dict[str, str] = {}

    def array(self, array: np.ndarray | None) -> str:
        """Return the digest of an array's dtype, shape and content, '' for None."""
        if array is None:
            return ''
        known = self._arrays.get(id(array))
        if known is None or known[0]() is not array:
            digest = hashlib.sha256(f'{array.dtype} {array.shape}'.encode())
            digest.update(np.ascontiguousarray(array).data)
            known = self._arrays[id(array)] = weakref.ref(array), digest.hexdigest()
        return known[1]

    def file(self, path: StrPath | None) -> str:
        """Return the digest of a file, '' if there is none."""
        if path is None or not Path(path).is_file():
            return ''
        name = str(path)
        if name not in self._files:
            self._files[name] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return self._files[name]

    def words(self, value: Any) -> list[str]:
        """Return what identifies a value that may hold arrays in tuples or lists."""
        if isinstance(value, np.ndarray):
            return [self.array(value)]
        if isinstance(value, (tuple, list)):
            return ['(', *(word for part in value for word in self.words(part)), ')']
        return [str(value)]
