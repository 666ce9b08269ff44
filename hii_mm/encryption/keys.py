"""The master key."""

from __future__ import annotations

import hmac

from ..errors import KeyFileError

KEY_BYTES = 32


class MasterKey:
    """A 32-byte master key. Its representation shows the fingerprint only.

    Args:
        raw: the key.

    Raises:
        KeyFileError: not 32 bytes.
    """

    __slots__ = ('_extracted', '_raw')

    def __init__(self, raw: bytes) -> None:
        if not isinstance(raw, bytes) or len(raw) != KEY_BYTES:
            raise KeyFileError(f'a master key has {KEY_BYTES} bytes, got {len(raw)}')
        self._raw = raw
        self._extracted = hmac.digest(bytes(32), raw, 'sha256')  # HKDF's first step, the same for all purposes

    def __repr__(self) -> str:
        return f'MasterKey(fingerprint={self.fingerprint})'

    def reveal(self) -> bytes:
        """Return the 32 bytes of the key, to back it up. Do not print, log or copy them elsewhere."""
        return self._raw

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
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        fields = [purpose.encode(), *parts]
        info = b''.join(len(field).to_bytes(4, 'big') + field for field in fields)
        return HKDFExpand(algorithm=SHA256(), length=length, info=info).derive(self._extracted)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that identify the key without revealing it."""
        return self.derive('hii-mm fingerprint v1', length=8).hex()
