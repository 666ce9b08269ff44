"""Plans that follow from a key: the same key, parameters and image id give the same plan for ever.

Plan format, version 1: HKDF-SHA256 (RFC 5869) of the master key, without salt,
gives 32 bytes; ChaCha20 (RFC 8439) with them, counter and nonce 0, gives a
stream of little-endian 32-bit words; from these come bounded numbers by
rejection, and permutations by Fisher-Yates. The cryptography is that of the
``cryptography`` package, loaded when first needed. ``tests/data/plan_vectors_v1.json``
freezes it.
"""

import json
import os
import os.path as osp
import secrets
import stat

import numpy as np

from . import checks

PLAN_VERSION = 1
KEY_BYTES = 32
_FIELDS = ('patch_size', 'gap', 'drop_ratio', 'orient', 'window', 'remainder')
_WORDS = 1 << 32


class KeyFileError(ValueError):
    """A key file that is not there, not a key, or readable by others."""


class MasterKey:
    """A 32-byte master key. Shows nothing of itself but its fingerprint.

    Args:
        raw (bytes): the key.

    Raises:
        KeyFileError: not 32 bytes.
    """

    __slots__ = ('_raw',)

    def __init__(self, raw):
        if not isinstance(raw, bytes) or len(raw) != KEY_BYTES:
            raise KeyFileError(f'a master key has {KEY_BYTES} bytes, got {len(raw)}')
        self._raw = raw

    def __repr__(self):
        return f'MasterKey(fingerprint={self.fingerprint})'

    def derive(self, purpose, *parts, length=KEY_BYTES):
        """Bytes for one purpose, by HKDF-SHA256; says nothing about the key or about other purposes.

        Args:
            purpose (str): what the bytes are for.
            parts (bytes): what they depend on besides.
            length (int): how many bytes.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        fields = [purpose.encode(), *parts]
        info = b''.join(len(field).to_bytes(4, 'big') + field for field in fields)
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(self._raw)

    @property
    def fingerprint(self):
        """16 hex digits that name the key and help nobody to guess it."""
        return self.derive('hii-mm fingerprint v1', length=8).hex()

    def source(self, params, image_id):
        """The keyed source that :meth:`ShuffleParams.plan` takes in place of a random generator.

        Args:
            params: a :class:`hii_mm.encryption.ShuffleParams`.
            image_id (str): see :func:`image_id`.

        Raises:
            TypeError, ValueError: an image id that is no text, or empty.
        """
        if not isinstance(image_id, str):
            raise TypeError(f'image_id must be a str, got {type(image_id).__name__}')
        if not image_id:
            raise ValueError('image_id is empty')
        version = f'hii-mm plan v{PLAN_VERSION}'
        name = image_id.encode('utf-8', 'surrogateescape')
        return KeyedSource(_chacha20(self.derive(version, canonical(params), name)))

    def plan(self, params, image_id, plain_shape):
        """The :class:`ShufflePlan` of one image of (h, w)."""
        return params.plan(plain_shape, self.source(params, image_id))


class KeyedSource:
    """The two methods that plans ask of a random generator, on a stream of 32-bit words.

    Args:
        stream: a callable; ``stream(n)`` gives the next 4 * n bytes.
    """

    def __init__(self, stream):
        self._stream, self._left = stream, np.empty(0, np.int64)

    def permutation(self, n):
        """int64 (n,): 0 .. n - 1 in random order, by Fisher-Yates from the last place down."""
        order = list(range(n))
        bounds = np.arange(n, 1, -1)
        for last, other in zip(range(n - 1, 0, -1), self._below(bounds).tolist()):
            order[last], order[other] = order[other], order[last]
        return np.array(order, np.int64)

    def integers(self, high, size):
        """int64 (size,): numbers in [0, high)."""
        return self._below(np.full(size, checks.whole('high', high, 1)))

    def _below(self, bounds):
        """One number in [0, bound) for each bound: word % bound of the next word that is not rejected.

        A word is rejected if it is at or above the largest multiple of the
        bound that 32 bits hold; the next word then takes its turn.
        """
        found, done = np.empty(len(bounds), np.int64), 0
        limits = _WORDS - _WORDS % bounds
        while done < len(bounds):
            missing = len(bounds) - done - len(self._left)
            if missing > 0:
                fresh = np.frombuffer(self._stream(missing), '<u4').astype(np.int64)
                self._left = np.concatenate([self._left, fresh])
            words = self._left[: len(bounds) - done]
            rejected = np.flatnonzero(words >= limits[done:])
            good = int(rejected[0]) if rejected.size else len(words)
            found[done : done + good] = words[:good] % bounds[done : done + good]
            self._left = self._left[good + bool(rejected.size) :]
            done += good
        return found


def _chacha20(key):
    """``stream(n)``: the next 4 * n bytes of ChaCha20 under ``key``, counter and nonce 0."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    encryptor = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    return lambda n: encryptor.update(bytes(4 * n))


def canonical(params):
    """The parameters of a shuffle as the bytes that go into its key, version 1.

    JSON with sorted names, without blanks; ``patch_size`` is [h, w] and
    ``drop_ratio`` a float. Mixing has no secret and does not count.
    """
    values = {name: getattr(params, name) for name in _FIELDS}
    return json.dumps({'strategy': 'shuffle', **values}, sort_keys=True, separators=(',', ':')).encode()


def image_id(path, root):
    """The name under which a picture is encrypted: its path below ``root`` without the extension.

    With '/' between folders. Symbolic links are not followed.

    Args:
        path (str): the picture's path.
        root (str): the folder that was, or would be, ``hii-mm encrypt``'s SRC.

    Raises:
        ValueError: the picture does not lie below ``root``.
    """
    below = osp.relpath(osp.abspath(path), osp.abspath(root)).replace(os.sep, '/')
    if below.startswith('../') or below in ('.', '..'):
        raise ValueError(f'{path!r} does not lie in {root!r}, so it has no image id there')
    return osp.splitext(below)[0]


def read_key(path, insecure=False):
    """The master key in a file of 32 bytes.

    Args:
        path: the key file.
        insecure (bool): take a file that others can read.

    Raises:
        KeyFileError: no such file, not 32 bytes, or others can read it.
    """
    try:
        with open(path, 'rb') as file:
            status = os.fstat(file.fileno())
            raw = file.read(KEY_BYTES + 1) if stat.S_ISREG(status.st_mode) else b''
    except OSError as error:
        raise KeyFileError(f'key file {str(path)!r} cannot be read: {error.strerror}') from None
    if len(raw) != KEY_BYTES:
        raise KeyFileError(f'{str(path)!r} is no key file: it must be a file of {KEY_BYTES} bytes (hii-mm keygen)')
    if status.st_mode & 0o077 and not insecure:
        raise KeyFileError(
            f'key file {str(path)!r} has mode {stat.S_IMODE(status.st_mode):04o}, so others may read it: '
            'chmod 600 it, or say --insecure-key-permissions'
        )
    return MasterKey(raw)


def write_new_key(path):
    """Write 32 random bytes to a new file of mode 0600, and give the :class:`MasterKey`.

    Raises:
        KeyFileError: the file is there already, or cannot be written.
    """
    raw = secrets.token_bytes(KEY_BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f'{str(path)!r} is there already; a key is never overwritten') from None
    except OSError as error:
        raise KeyFileError(f'key file {str(path)!r} cannot be written: {error.strerror}') from None
    with os.fdopen(handle, 'wb') as file:
        os.fchmod(handle, 0o600)
        file.write(raw)
        file.flush()
        os.fsync(handle)
    return MasterKey(raw)
