"""The master key and its file."""

from __future__ import annotations

import os
import secrets
import stat

from ..errors import KeyFileError
from ..files import StrPath

KEY_BYTES = 32


class MasterKey:
    """A 32-byte master key. Its representation shows the fingerprint only.

    Args:
        raw: the key.

    Raises:
        KeyFileError: not 32 bytes.
    """

    __slots__ = ('_raw',)

    def __init__(self, raw: bytes) -> None:
        if not isinstance(raw, bytes) or len(raw) != KEY_BYTES:
            raise KeyFileError(f'a master key has {KEY_BYTES} bytes, got {len(raw)}')
        self._raw = raw

    def __repr__(self) -> str:
        return f'MasterKey(fingerprint={self.fingerprint})'

    def derive(self, purpose: str, *parts: bytes, length: int = KEY_BYTES) -> bytes:
        """Derive bytes for one purpose by HKDF-SHA256 (RFC 5869), without salt.

        They reveal nothing about the key or about other purposes. The info is
        the concatenation of all fields, each behind its length (4 bytes, big-endian).

        Args:
            purpose: what the bytes are for.
            parts: what else they depend on.
            length: number of bytes.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        fields = [purpose.encode(), *parts]
        info = b''.join(len(field).to_bytes(4, 'big') + field for field in fields)
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(self._raw)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that identify the key without revealing it."""
        return self.derive('hii-mm fingerprint v1', length=8).hex()


def read_key(path: StrPath, insecure: bool = False) -> MasterKey:
    """Read the master key in a file of 32 bytes.

    Args:
        path: the key file.
        insecure: accept a file that other users can read.

    Raises:
        KeyFileError: missing, not 32 bytes, or readable by other users.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            status = os.fstat(file.fileno())
            raw = file.read(KEY_BYTES + 1) if stat.S_ISREG(status.st_mode) else b''
    except OSError as error:
        raise KeyFileError(f'key file {path!r} cannot be read: {error.strerror}') from None
    if len(raw) != KEY_BYTES:
        raise KeyFileError(f'{path!r} is not a key file: it must have {KEY_BYTES} bytes; hii-mm keygen makes one')
    if status.st_mode & 0o077 and not insecure:
        raise KeyFileError(
            f'key file {path!r} has mode {stat.S_IMODE(status.st_mode):04o}, so other users may read it: '
            'run chmod 600, or pass --insecure-key-permissions'
        )
    return MasterKey(raw)


def write_new_key(path: StrPath) -> MasterKey:
    """Write 32 random bytes to a new file of mode 0600.

    Raises:
        KeyFileError: the file exists, or cannot be written.
    """
    path, raw = os.fspath(path), secrets.token_bytes(KEY_BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f'{path!r} exists; a key is never overwritten') from None
    except OSError as error:
        raise KeyFileError(f'key file {path!r} cannot be written: {error.strerror}') from None
    with os.fdopen(handle, 'wb') as file:
        os.fchmod(handle, 0o600)
        file.write(raw)
        file.flush()
        os.fsync(handle)
    return MasterKey(raw)
