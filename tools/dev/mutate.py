"""Mutations for ``fuzz.py``: of bytes, of JSON values, of lines and of tar headers."""

from __future__ import annotations

import copy
import itertools
import json
import random
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

BLOCK = tarfile.BLOCKSIZE
MOST_PLACES = 20_000  # parts of a JSON value that may be changed
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 15, 16, 255, 65536, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30,
    10**400, 0.5, -0.0, 1e-300, 1e9, 1e18, 1e308, float('inf'), float('-inf'), float('nan'),
)  # fmt: skip
TEXTS = (
    '', '.', '..', '../x', '/etc/passwd', 'a/../../b', 'a\0b', '\ud800', '\udcff', '\u202e', '\x1b[2J', 'x' * 300,
    'x/' * 3000, 'manifest.json', '.hii-mm', 'annotations/a.json', 'shard-000000.tar', 'rejects.jsonl', '%2E', '0' * 64,
)  # fmt: skip
WORDS = (
    b'\0',
    b'\n',
    b'\r',
    b'{',
    b'}',
    b'[',
    b']',
    b'"',
    b',',
    b'\xff',
    b'null',
    b'NaN',
    b'1e999',
    b'\\ud800',
    b'[' * 5000,
)
TAR_KINDS = b'0123456789xgLKSMN\0'


def any_bytes(data: bytes, dice: random.Random) -> bytes:
    """Return some bytes with a few changes anywhere."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 5, 20))):
        at = dice.randrange(len(out) + 1)
        length = dice.choice((1, 1, 2, 8, 64, 512))
        change = dice.randrange(6)
        if change == 0 and at < len(out):
            out[at] ^= 1 << dice.randrange(8)
        elif change == 1:
            out[at:at] = dice.choice(WORDS)
        elif change == 2:
            del out[at : at + length]
        elif change == 3:
            start = dice.randrange(len(out) + 1)
            out[at:at] = out[start : start + length]
        elif change == 4:
            out[at : at + length] = dice.randbytes(length)
        elif dice.random() < 0.2:
            del out[at:]
    return bytes(out)


def json_value(value: Any, dice: random.Random) -> Any:
    """Return a JSON value with a few parts replaced, removed, doubled, or moved to another place."""
    out = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        places = list(itertools.islice(_places(out), MOST_PLACES))
        if not places:
            return _odd_value(dice, out)
        parent, name = dice.choice(places)
        change = dice.randrange(8)
        if change == 0:
            del parent[name]
        elif change == 1 and isinstance(parent, list):
            parent.insert(dice.randrange(len(parent) + 1), copy.deepcopy(parent[name]))
        elif change == 2 and isinstance(parent, list):
            parent[name:] = [copy.deepcopy(parent[name])] * dice.choice((2, 50, 500))
        elif change == 3:
            source, part = dice.choice(places)
            moved = source[part] if _has(source, part) else None
            parent[name] = copy.deepcopy(moved)
        else:
            parent[name] = _odd_value(dice, parent[name])
    return out


def _has(parent: Any, name: Any) -> bool:
    return name in parent if isinstance(parent, dict) else name < len(parent)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key or index) of every part of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in list(items):
        yield value, name
        yield from _places(part)


def _odd_value(dice: random.Random, value: Any) -> Any:
    """Return an unexpected value, often of the same type."""
    if isinstance(value, (int, float)) and dice.random() < 0.7:
        return dice.choice(NUMBERS) if dice.random() < 0.7 else value + dice.randint(-3, 3)
    if isinstance(value, str) and dice.random() < 0.7:
        return dice.choice(TEXTS) if dice.random() < 0.6 else value + dice.choice(TEXTS)[:40]
    deep: Any = []
    for _ in range(dice.choice((1, 20, 200))):
        deep = [deep]
    return dice.choice((None, True, [], {}, [[]], {'': {}}, deep, dice.choice(NUMBERS), dice.choice(TEXTS), [0] * 1000))


def json_text(data: bytes, dice: random.Random) -> bytes:
    """Return a JSON file with a few changes in its values, or in its bytes."""
    if dice.random() < 0.3:
        return any_bytes(data, dice)
    return json.dumps(json_value(json.loads(data), dice)).encode()


def json_lines(data: bytes, dice: random.Random) -> bytes:
    """Return a file of JSON lines with lines changed, removed, doubled or swapped, or with changes in its bytes."""
    if dice.random() < 0.25:
        return any_bytes(data, dice)
    lines = data.split(b'\n')
    for _ in range(dice.choice((1, 1, 2, 3))):
        at, other = dice.randrange(len(lines)), dice.randrange(len(lines))
        change = dice.randrange(6)
        if change == 0:
            lines[at], lines[other] = lines[other], lines[at]
        elif change == 1 and len(lines) > 1:
            del lines[at]
        elif change == 2:
            lines.insert(at, lines[other])
        else:
            lines[at] = _json_line(lines[at], dice)
    return b'\n'.join(lines)


def _json_line(line: bytes, dice: random.Random) -> bytes:
    """Return a line of JSON, perhaps with a comma behind it or as a member of an object, with other values."""
    for before, behind in ((b'', b''), (b'', b','), (b'{', b'}')):
        text = before + line.removesuffix(b',') + behind if before else line.removesuffix(behind)
        try:
            value = json.loads(text)
        except ValueError:
            continue
        changed = json.dumps(json_value(value, dice)).encode()
        return changed[1:-1] + b',' if before else changed + behind
    return any_bytes(line, dice)


def tar(data: bytes, dice: random.Random) -> bytes:
    """Return a tar file with other headers, extra members, or changes in its bytes."""
    changes: tuple[Callable[[bytes, random.Random], bytes], ...] = (any_bytes, _tar_header, _tar_header, _tar_member)
    return dice.choice(changes)(data, dice)


def _tar_header(data: bytes, dice: random.Random) -> bytes:
    """Change fields of one header, and often correct its checksum."""
    headers = [at for at in range(0, len(data), BLOCK) if data[at + 257 : at + 262] == b'ustar']
    if not headers:
        return any_bytes(data, dice)
    out, at = bytearray(data), dice.choice(headers)
    for _ in range(dice.choice((1, 1, 2))):
        field = dice.choice(((0, 100), (124, 12), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155)))
        out[at + field[0] : at + sum(field)] = _tar_field(field, dice)
    if dice.random() < 0.8:
        _correct(out, at)
    return bytes(out)


def _tar_field(field: tuple[int, int], dice: random.Random) -> bytes:
    """Return the content of a header's field: a size, a kind, or bytes."""
    start, length = field
    if start == 156:
        return bytes([dice.choice(TAR_KINDS)])
    if start == 124:
        size = dice.choice((0, 1, 511, 512, 513, 2**20, 2**33 - 1))
        return dice.choice(
            (b'%011o\0' % size, b'\x80' + bytes(3) + (2**62).to_bytes(8, 'big'), b'-0000000001\0', b'x' * 12)
        )
    text = dice.choice(TEXTS).encode('utf-8', 'surrogatepass')[:length]
    return text.ljust(length, b'\0') if dice.random() < 0.8 else dice.randbytes(length)


def _correct(out: bytearray, at: int) -> None:
    """Write the right checksum of a header."""
    out[at + 148 : at + 156] = b' ' * 8
    out[at + 148 : at + 156] = b'%06o\0 ' % sum(out[at : at + BLOCK])


def _tar_member(data: bytes, dice: random.Random) -> bytes:
    """Insert a member: a pax or GNU header, a sparse file, a link, or a device; its size may lie."""
    info = tarfile.TarInfo(dice.choice(TEXTS).replace('\ud800', '?').replace('\udcff', '?')[:90] or 'x')
    info.type = bytes([dice.choice(TAR_KINDS)])
    body = dice.choice((
        b'', b'12 path=abc\n', b'30 size=99999999999999999999\n', b'999999999999 path=a\n', b'22 GNU.sparse.major=1\n',
        b'27 GNU.sparse.size=9999999\n', b'x' * 600, b'25 path=' + b'a' * 16 + b'\n',
    ))  # fmt: skip
    info.size = dice.choice((len(body), len(body), 2**33 - 1, 2**40))
    try:
        header = info.tobuf(dice.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)), 'utf-8', 'surrogateescape')
    except (ValueError, OverflowError):
        return any_bytes(data, dice)
    member = header + body + bytes(-len(body) % BLOCK)
    at = dice.randrange(len(data) // BLOCK + 1) * BLOCK
    return data[:at] + member + data[at:]
