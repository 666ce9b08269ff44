"""The lines of journals: JSON whose last field is the CRC-32 of what precedes it, so that damage is not signed."""

from __future__ import annotations

import zlib
from typing import Any, TypeVar

from ..errors import CopyError
from .parsing import parse, parse_row

T = TypeVar('T')
_FIELD = b', "crc32": "'
_TAIL = len(_FIELD) + 8 + 3  # bytes behind the body: the field with 8 digits, and '"}' and the line feed


def line_of(text: bytes) -> bytes:
    """Return a JSON object that is not empty as a line: with the field ``crc32`` and a line feed."""
    body = text.removesuffix(b'}')
    return body + _tail(body)


def _tail(body: bytes) -> bytes:
    return b'%s%08x"}\n' % (_FIELD, zlib.crc32(body))


def parse_line(line: bytes, kind: type[T], what: str) -> T:
    """Return a line as a type.

    Args:
        line: with its line feed.
        kind: a type that msgspec knows, such as a :class:`msgspec.Struct`.
        what: where the line comes from, for the message.

    Raises:
        CopyError: not JSON, another type, or a wrong CRC-32.
    """
    if line[-_TAIL:] == b'%s%08x"}\n' % (_FIELD, zlib.crc32(line[:-_TAIL])):  # as _tail, without a call
        return parse_row(line, kind, what, CopyError)
    parse(line, dict[str, Any], what, CopyError)  # says why where it is no JSON at all
    raise CopyError(f'{what}: damaged: its CRC-32 is wrong')
