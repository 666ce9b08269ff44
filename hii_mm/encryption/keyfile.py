"""Key files: the master key as text, with a checksum, and sealed by a passphrase if asked for.

docs/reference/format.md describes them for other programs.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from ..errors import KeyFileError
from ..files import StrPath, open_regular, write_new
from .keys import KEY_BYTES, MasterKey

Passphrase = str | Callable[[], str]
HEADER = 'hii-mm key v1'
PASSPHRASE_VARIABLE = 'HII_MM_PASSPHRASE_FILE'
MAX_BYTES = 4096  # of a key file
SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P = 17, 8, 1  # 128 MiB
_ACCEPTED_LOG_N = range(14, 19)  # 16 to 256 MiB
_TAG_BYTES, _SALT_BYTES, _NONCE = 16, 16, bytes(12)
_PLAIN = re.compile(rf'key ([0-9a-f]{{{2 * KEY_BYTES}}})')
_SEALED = re.compile(rf'scrypt (\d{{1,3}}) ([0-9a-f]{{{2 * _SALT_BYTES}}})')
_BOX = re.compile(rf'sealed ([0-9a-f]{{{2 * (KEY_BYTES + _TAG_BYTES)}}})')


class _Sealed(NamedTuple):
    """A key that a passphrase opens."""

    about: str
    log_n: int
    salt: bytes
    box: bytes


def read_key(path: StrPath, insecure: bool = False, passphrase: Passphrase | None = None) -> MasterKey:
    """Read the master key in a key file.

    Args:
        path: the key file.
        insecure: accept a file that other users can read.
        passphrase: of a file that is sealed by one, or a function that is
            called to ask for it, only where it is needed.

    Raises:
        KeyFileError: missing, not a key file, damaged, readable by other users,
            or sealed by another passphrase or none given.
    """
    path = os.fspath(path)
    raw, mode = _read(path)
    found = _parsed(path, raw)
    _check_mode(path, mode, insecure, 'key file')
    if isinstance(found, MasterKey):
        return found
    if passphrase is None:
        raise KeyFileError(
            f'key file {path!r} is protected by a passphrase: give hii-mm --passphrase-file FILE, '
            f'set ${PASSPHRASE_VARIABLE}, or in Python pass hii_mm.read_key({path!r}, passphrase=...) as the key'
        )
    return _opened(path, found, passphrase if isinstance(passphrase, str) else passphrase())


def read_passphrase(path: StrPath, insecure: bool = False) -> str:
    """Return the first line of a file, without its end.

    Args:
        path: the file; '/dev/fd/3' reads a file descriptor.
        insecure: accept a file that other users can read.

    Raises:
        KeyFileError: it cannot be read, is not UTF-8, or other users can read it.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            mode = os.fstat(file.fileno()).st_mode
            line = file.readline(MAX_BYTES)
        text = line.decode().removesuffix('\n').removesuffix('\r')
    except OSError as error:
        raise KeyFileError(f'passphrase file {path!r} cannot be read: {error.strerror}') from None
    except UnicodeDecodeError:
        raise KeyFileError(f'passphrase file {path!r} is not UTF-8') from None
    if stat.S_ISREG(mode):
        _check_mode(path, mode, insecure, 'passphrase file')
    return text


def write_new_key(path: StrPath, passphrase: str | None = None) -> MasterKey:
    """Write a random key to a new file of mode 0600.

    Args:
        path: the file.
        passphrase: seals the key, so that the file alone is of no use.

    Raises:
        KeyFileError: the file exists or cannot be written, or an empty passphrase.
    """
    key = MasterKey(secrets.token_bytes(KEY_BYTES))
    write_key(path, key, passphrase)
    return key


def write_key(path: StrPath, key: MasterKey, passphrase: str | None = None) -> None:
    """Write a key to a new file of mode 0600, which appears whole or not at all.

    Args:
        path: the file.
        key: the key.
        passphrase: seals the key, so that the file alone is of no use.

    Raises:
        KeyFileError: the file exists or cannot be written, or an empty passphrase.
    """
    path = os.fspath(path)
    lines = [f'key {key.reveal().hex()}'] if passphrase is None else _sealed(key, passphrase)
    text = _text([HEADER, *lines])
    try:
        write_new(path, f'{text}sum {_sum(text)}\n'.encode(), 0o600)
    except FileExistsError:
        raise KeyFileError(f'{path!r} exists; a key is never overwritten') from None
    except OSError as error:
        raise KeyFileError(f'key file {path!r} cannot be written: {error.strerror}') from None


def _read(path: str) -> tuple[bytes, int]:
    """Return the content and the mode of a regular file."""
    try:
        with open_regular(path) as file:
            return file.read(MAX_BYTES + 1), os.fstat(file.fileno()).st_mode
    except FileNotFoundError as error:
        advice = 'hii-mm keygen creates one'
        raise KeyFileError(f'key file {path!r} cannot be read: {error.strerror}; {advice}') from None
    except OSError as error:
        raise KeyFileError(f'key file {path!r} cannot be read: {error.strerror}') from None


def _check_mode(path: str, mode: int, insecure: bool, what: str) -> None:
    if mode & 0o077 and not insecure:
        raise KeyFileError(
            f'{what} {path!r} has mode {stat.S_IMODE(mode):04o}, so other users may read it: '
            'run chmod 600, or pass --insecure-key-permissions'
        )


def _parsed(path: str, raw: bytes) -> MasterKey | _Sealed:
    """Return the key in the content of a key file, or what a passphrase opens.

    Raises:
        KeyFileError: something else, which the message never repeats.
    """
    text = raw.decode('ascii', 'replace')
    first, *lines = [line.strip() for line in text.splitlines() if line.strip()] or ['']
    if first != HEADER or len(raw) > MAX_BYTES:
        raise KeyFileError(f'{path!r} is not a key file: {_advice(raw, first)}')
    body = _text([first, *lines[:-1]])
    if len(lines) < 2 or lines[-1] != f'sum {_sum(body)}':
        raise KeyFileError(
            f'key file {path!r} is damaged: its checksum is wrong; use your backup (hii-mm key import makes a '
            'key file from a backup on paper)'
        )
    plain = _PLAIN.fullmatch(lines[0]) if len(lines) == 2 else None
    if plain:
        return MasterKey(bytes.fromhex(plain[1]))
    about, box = (_SEALED.fullmatch(lines[0]), _BOX.fullmatch(lines[1])) if len(lines) == 3 else (None, None)
    if about and box and int(about[1]) in _ACCEPTED_LOG_N:
        return _Sealed(_text([first, lines[0]]), int(about[1]), bytes.fromhex(about[2]), bytes.fromhex(box[1]))
    raise KeyFileError(f'key file {path!r} holds values that this version does not accept')


def _advice(raw: bytes, first: str) -> str:
    """Return what is wrong with a file that is no key file, and what to do."""
    if not raw:
        return 'it is empty; hii-mm keygen makes a key'
    if len(raw) > MAX_BYTES:
        return f'it has more than {MAX_BYTES} bytes; hii-mm keygen makes a key'
    if first.startswith('hii-mm key backup'):
        return 'it is a backup on paper; hii-mm key import makes a key file from it'
    if first.startswith('hii-mm key v'):
        return f'it is of a later version; this one reads {HEADER!r}'
    return (
        f'it does not begin with {HEADER!r}. hii-mm keygen makes a key; words that you choose cannot be one, but '
        'hii-mm keygen --passphrase protects a key by them'
    )


def _text(lines: list[str]) -> str:
    return ''.join(f'{line}\n' for line in lines)


def _sum(text: str) -> str:
    """Return the checksum of the lines above it: 8 hex digits of their SHA-256."""
    return hashlib.sha256(text.encode('ascii', 'replace')).hexdigest()[:8]


def _sealed(key: MasterKey, passphrase: str) -> list[str]:
    """Return the lines of a sealed key."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if not passphrase:
        raise KeyFileError('the passphrase is empty; choose one, such as five or more random words')
    salt = secrets.token_bytes(_SALT_BYTES)
    about = f'scrypt {SCRYPT_LOG_N} {salt.hex()}'
    cipher = ChaCha20Poly1305(_scrypt(passphrase, salt, SCRYPT_LOG_N))
    box = cipher.encrypt(_NONCE, key.reveal(), _text([HEADER, about]).encode())
    return [about, f'sealed {box.hex()}']


def _opened(path: str, sealed: _Sealed, passphrase: str) -> MasterKey:
    """Return a sealed key.

    Raises:
        KeyFileError: another passphrase, or too little memory.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        cipher = ChaCha20Poly1305(_scrypt(passphrase, sealed.salt, sealed.log_n))
        return MasterKey(cipher.decrypt(_NONCE, sealed.box, sealed.about.encode()))
    except InvalidTag:
        raise KeyFileError(f'key file {path!r}: the passphrase is wrong') from None
    except MemoryError:
        mebibytes = (128 * SCRYPT_R << sealed.log_n) >> 20
        raise KeyFileError(f'key file {path!r}: its passphrase needs {mebibytes} MiB of memory') from None


def _scrypt(passphrase: str, salt: bytes, log_n: int) -> bytes:
    """Return the key that a passphrase stands for: scrypt (RFC 7914) of its NFC form in UTF-8."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    text = unicodedata.normalize('NFC', passphrase).encode('utf-8', 'surrogateescape')
    return Scrypt(salt=salt, length=KEY_BYTES, n=1 << log_n, r=SCRYPT_R, p=SCRYPT_P).derive(text)
