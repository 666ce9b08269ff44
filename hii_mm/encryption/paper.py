"""A key as lines to be printed and typed in again, each with a checksum, so that an error is found in its line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from ..errors import KeyFileError
from .keys import KEY_BYTES, MasterKey

HEADER = 'hii-mm key backup v1'
_LINES, _BYTES, _SUM_BYTES = 4, 8, 2
_DIGITS = 2 * (_BYTES + _SUM_BYTES)
_FINGERPRINT = 'fingerprint'
_LIKE_DIGITS = str.maketrans('oOlLiI', '001111')


def to_paper(key: MasterKey) -> str:
    """Return a key as text to be printed. It is the key itself."""
    raw = key.reveal()
    lines = [raw[start : start + _BYTES] for start in range(0, KEY_BYTES, _BYTES)]
    numbered = [f'{n}: {_grouped(line.hex())}  {_sum(n, line).hex()}' for n, line in enumerate(lines, 1)]
    return '\n'.join(
        [
            HEADER,
            'This is the key itself, not protected by a passphrase: who reads it can decrypt every copy made with it.',
            'To restore the key, type the lines below into a file and run: hii-mm key import FILE KEYFILE',
            '',
            *numbered,
            f'{_FINGERPRINT}: {_grouped(key.fingerprint)}',
            '',
        ]
    )


def from_paper(text: str) -> MasterKey:
    """Return the key in a backup that was typed in.

    Case, blanks and the words around the lines do not matter; o, l and i are
    read as 0 and 1. The fingerprint is checked if it is there.

    Raises:
        KeyFileError: naming each line that is missing or wrong, or lines of different keys.
    """
    found, problems = dict[int, bytes](), dict[int, str]()
    for number, digits in _numbered(text):
        line, problem = _line(number, digits)
        if number in found:
            problem = 'it is there twice'
        found[number] = line
        if problem:
            problems[number] = problem
    problems |= {n: 'it is missing' for n in range(1, _LINES + 1) if n not in found}
    if len(problems) == _LINES and not found:
        raise KeyFileError('this is not a backup of a key: it has no lines such as "1: 0123 4567 89ab cdef  0123"')
    if problems:
        wrong = '; '.join(f'line {n}: {why}' for n, why in sorted(problems.items()))
        raise KeyFileError(f'the backup was not typed correctly: {wrong}. Compare with the paper')
    key = MasterKey(b''.join(found[n] for n in range(1, _LINES + 1)))
    claimed = re.search(rf'(?im)^\s*{_FINGERPRINT}\s*:?([^\n]*)$', text)
    if claimed and _digits(claimed[1]) != key.fingerprint:
        raise KeyFileError(
            f'these lines have the fingerprint {_grouped(key.fingerprint)}, but the backup says '
            f'{claimed[1].strip()!r}: compare that line with the paper; or the lines are of different keys'
        )
    return key


def _grouped(digits: str) -> str:
    return ' '.join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _sum(number: int, line: bytes) -> bytes:
    """Return the checksum of a line."""
    return hashlib.sha256(HEADER.encode() + bytes([number]) + line).digest()[:_SUM_BYTES]


def _digits(text: str) -> str:
    """Return text without blanks and signs, in lower case, with the letters that look like digits replaced."""
    return re.sub(r'[\W_]', '', text).translate(_LIKE_DIGITS).lower()


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the digits of each numbered line."""
    for line in text.splitlines():
        match = re.fullmatch(rf'\s*([1-{_LINES}lLiI])\s*[:.;)]\s*(.*)', line)
        if match:
            yield int(match[1].translate(_LIKE_DIGITS)), _digits(match[2])


def _line(number: int, digits: str) -> tuple[bytes, str | None]:
    """Return the bytes of a line, and what is wrong with it or None. The digits are not repeated."""
    strange = sorted(set(digits) - set('0123456789abcdef'))
    if strange:
        return b'', f'{", ".join(map(repr, strange))} cannot occur in it, only 0 to 9 and a to f'
    if len(digits) != _DIGITS:
        return b'', f'it has {len(digits)} digits instead of {_DIGITS}'
    raw = bytes.fromhex(digits)
    line, checksum = raw[:_BYTES], raw[_BYTES:]
    return line, None if checksum == _sum(number, line) else 'its checksum is wrong'
