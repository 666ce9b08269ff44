"""ChaCha20 as a stream of bytes."""

from __future__ import annotations

from collections.abc import Callable


def chacha20(key: bytes) -> Callable[[int], bytes]:
    """Return ``stream(n)``: the next 4 * n bytes of ChaCha20 (RFC 8439) under 32 bytes, with counter and nonce 0."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    encryptor = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    return lambda n: encryptor.update(bytes(4 * n))
