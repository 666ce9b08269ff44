"""Read JSON as typed values, with errors that name the file and the place.

``json`` decodes the text and ``msgspec`` checks the types. msgspec's own
decoder refuses what Python writes: lone surrogates, which stand for file names
that are not UTF-8, and NaN.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from ..errors import HiiError
from ..files import StrPath

T = TypeVar('T')


def convert(value: Any, kind: type[T], what: str, error: type[HiiError]) -> T:
    """Return a decoded JSON value as a type.

    Args:
        value: dicts, lists, strings, numbers, booleans and None.
        kind: a type that msgspec knows, such as a :class:`msgspec.Struct`.
        what: where the value comes from, for the message.
        error: the class of error to raise.

    Raises:
        HiiError: of class ``error``: another type.
    """
    try:
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise error(f'{what}: {problem}') from None


def parse(text: str | bytes, kind: type[T], what: str, error: type[HiiError]) -> T:
    """Return JSON text as a type; see :func:`convert`.

    Raises:
        HiiError: of class ``error``: not JSON, nested too deeply, or another type.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise error(f'{what}: not valid JSON: {problem}') from None
    return convert(value, kind, what, error)


def fits(value: Any, kind: type[T]) -> T | None:
    """Return a decoded JSON value as a type, or None where it is another type."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def parse_lines(path: StrPath, kind: type[T], error: type[HiiError]) -> Iterator[T]:
    """Yield the lines of a JSON Lines file, each as a type.

    Raises:
        HiiError: of class ``error``: a line that is not valid, or a file that cannot be read.
    """
    try:
        with open(path, 'rb') as file:
            for number, line in enumerate(file, 1):
                yield parse(line, kind, f'{path!r}, line {number}', error)
    except OSError as problem:
        raise error(f'{path!r} cannot be read: {problem.strerror}') from None
