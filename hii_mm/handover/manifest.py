"""``manifest.json``: what was handed over. The schema stands in docs/handover.md.

Written and read line by line, so that a million rows need no memory: a line
for each value of the head, one for each image, and two for the sums of what
stands above them.
"""

import hashlib
import hmac
import json
import os.path as osp

from .names import MANIFEST, WORK

SCHEMA, VERSION = 'hii-mm manifest', 1
_ROWS, _END = '"images": [\n', ']'
MOST_LINE = 1 << 20


class ManifestError(ValueError):
    """No manifest, or not one as :func:`lines` writes it."""


def lines(head, rows, key):
    """The manifest's bytes, line by line.

    Args:
        head (dict): everything above the rows.
        rows: an iterable of dicts, one an image.
        key: the :class:`MasterKey` that signs it.
    """
    digest = hashlib.sha256()
    mac = hmac.new(key.derive('hii-mm manifest v1'), digestmod='sha256')

    def signed(text):
        line = text.encode()
        digest.update(line)
        mac.update(line)
        return line

    yield signed(f'{{"schema": {json.dumps(SCHEMA)},\n"version": {VERSION},\n')
    for name, value in head.items():
        yield signed(f'{json.dumps(name)}: {json.dumps(value)},\n')
    yield signed(_ROWS)
    separator = ''
    for row in rows:
        yield signed(f'{separator}{json.dumps(row)}')
        separator = ',\n'
    yield signed('],\n' if not separator else '\n],\n')
    yield f'"sha256": "{digest.hexdigest()}",\n"hmac": "{mac.hexdigest()}"}}\n'.encode()


class Manifest:
    """A manifest file: the head at once, the rows when asked for.

    Args:
        folder: the DST that holds it.

    Attributes:
        head (dict): schema, version, parameters and so on.

    Raises:
        ManifestError: not there, or not as we write it.
    """

    def __init__(self, folder):
        self.path = f'{folder}/{MANIFEST}'
        with self._open() as file:
            self.head = self._head(file)

    def _open(self):
        try:
            return open(self.path, 'rb')
        except OSError as error:
            raise ManifestError(self._absent(error)) from None

    def _absent(self, error):
        """Why there is no manifest, and what to do."""
        folder = osp.dirname(self.path)
        if not osp.isdir(folder):
            return f'no folder {folder!r}'
        if osp.isdir(osp.join(folder, WORK)):
            return f'{folder!r} is unfinished: hii-mm encrypt --resume goes on, hii-mm manifest merge closes parts'
        if isinstance(error, FileNotFoundError):
            return f'{folder!r} holds no {MANIFEST}: it is no copy that hii-mm encrypt wrote, or it was removed'
        return f'{self.path!r} cannot be read: {error.strerror}'

    def _head(self, file):
        """Read up to the rows; gives the head."""
        text, size = [], 0
        for line in iter(lambda: file.readline(MOST_LINE), b''):
            text.append(line)
            size += len(line)
            if line == _ROWS.encode() or size > 64 * MOST_LINE:
                break
        try:
            head = json.loads(b''.join(text) + b']}')
            found = (head['schema'], head['version'])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ManifestError(f'{self.path!r} is no manifest as hii-mm writes it') from None
        if found != (SCHEMA, VERSION):
            raise ManifestError(
                f'{self.path!r} is {found[0]!r} version {found[1]!r}; read is {SCHEMA!r} version {VERSION}'
            )
        return head

    def rows(self, key=None):
        """Each image's row; behind the last, the sums are checked.

        Args:
            key: the :class:`MasterKey`, to check the HMAC; None checks the
                plain sum alone, which finds damage but no forgery.

        Raises:
            ManifestError: a line that is no row, or a sum that is wrong.
        """
        digest = hashlib.sha256()
        mac = hmac.new(key.derive('hii-mm manifest v1') if key else b'', digestmod='sha256')
        with self._open() as file:
            rows = False
            for line in iter(lambda: file.readline(MOST_LINE), b''):
                if rows and line.startswith(b'"sha256"'):
                    self._check_sums(line + file.read(MOST_LINE), digest, mac if key else None)
                    return
                digest.update(line)
                mac.update(line)
                if rows and line != b'],\n':
                    yield self._row(line)
                rows = rows or line == _ROWS.encode()
        raise ManifestError(f'{self.path!r} is cut short: it has no sums at the end')

    def _row(self, line):
        try:
            row = json.loads(line.rstrip(b',\n'))
            row['name'], row['sha256'], row['mode'], [*row['plain_hw']], [*row['encrypted_hw']]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ManifestError(f'{self.path!r} has a line that is no row of an image: {line[:80]!r}') from None
        return row

    def _check_sums(self, tail, digest, mac):
        try:
            sums = json.loads(b'{' + tail)
            good = sums['sha256'] == digest.hexdigest()
            genuine = mac is None or hmac.compare_digest(str(sums['hmac']), mac.hexdigest())
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ManifestError(f'{self.path!r} has no sums at the end') from None
        if not good or tail != f'"sha256": "{sums["sha256"]}",\n"hmac": "{sums["hmac"]}"}}\n'.encode():
            raise ManifestError(f'{self.path!r} was changed: its SHA-256 is not the one at its end')
        if not genuine:
            raise ManifestError(f'{self.path!r} was changed or made with another key: its HMAC is wrong')
