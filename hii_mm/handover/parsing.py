"""Read JSON as typed values, with errors that name the file and the place.

``json`` decodes the text and ``msgspec`` checks the types. msgspec's own
decoder refuses what Python writes: lone surrogates, which stand for file names
that are not UTF-8, and NaN.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, TypeVar, cast

import msgspec

from ..errors import HiiError
from ..files import StrPath, open_regular

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


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def parse_row(text: bytes, kind: type[T], what: str, error: type[HiiError]) -> T:
    """Return JSON text as a type, as :func:`parse` does, but ten times faster where msgspec accepts it."""
    try:
        row: T = _decoder(cast(Any, kind)).decode(text)
        return row
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return parse(text, kind, what, error)


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
        with open_regular(path) as file:
            for number, line in enumerate(file, 1):
                yield parse_row(line, kind, f'{path!r}, line {number}', error)
    except OSError as problem:
        raise error(f'{path!r} cannot be read: {problem.strerror}') from None
