"""``hii-mm decrypt``: the pixels of a shuffled copy, back in their places."""

import errno
import hashlib
import os
import os.path as osp

import numpy as np

from . import names
from .files import write_atomically
from .manifest import Manifest
from .pictures import Reject, decode_as, encode
from .pool import ordered
from .settings import Settings
from .stored import pictures, row_bytes, safe_name

FILL = 0
OF_THE_NAME = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)


class Undo:
    """Decrypts one picture; what :func:`pool.ordered` makes in each process."""

    def __init__(self, dst, out, settings, key):
        self.dst, self.out, self.settings, self.key = dst, out, settings, key

    def __call__(self, item):
        """(row, bytes or None, image id) -> (name, share of pixels lost, what is wrong)."""
        row, data, image_id = item
        try:
            if not safe_name(image_id):
                raise Reject(f'its image id {image_id!r} is no path')
            data = row_bytes(self.dst, row, data)
            if hashlib.sha256(data).hexdigest() != row['sha256']:
                raise Reject('its SHA-256 is not the one in the manifest')
            image = decode_as(data, row['mode'])
            (plan,) = self.settings.plans(self.key, image_id, row['plain_hw'])
            plain = encode(plan.invert(image, fill=FILL), '.png')
            path = osp.join(self.out, image_id + '.png')
            os.makedirs(osp.dirname(path), exist_ok=True)
            write_atomically(path, plain, self.out)
        except (Reject, ValueError) as error:
            return row['name'], 0.0, str(error)
        except OSError as error:
            if error.errno not in OF_THE_NAME:
                raise
            return row['name'], 0.0, f'it cannot be written as {image_id + ".png"!r}: {error.strerror}'
        return row['name'], float(np.mean(plan.missing())), None


class CannotUndo(ValueError):
    """Nothing was written; the message says why."""


def decrypt(dst, out, key, name_map=None, workers=1, progress=None):
    """Write the pictures of a copy, decrypted, as PNG.

    Args:
        dst (str): the copy.
        out (str): a new folder.
        key: the :class:`MasterKey`.
        name_map (str): the owner's file of pseudonyms, if the copy was renamed.
        workers (int): processes.
        progress: as in :class:`Request`.

    Yields:
        tuple: (name, share of its pixels that is lost and filled with 0, what is wrong or None).

    Raises:
        CannotUndo: another key, a mixed copy, or ``out`` is not empty.
        ManifestError: a manifest that is damaged or was changed.
        KeyFileError: the map of names cannot be read.
    """
    dst, out = osp.realpath(dst), osp.realpath(out)
    manifest = Manifest(dst)
    settings = _settings(manifest, key)
    if osp.lexists(out) and (not osp.isdir(out) or os.listdir(out)):
        raise CannotUndo(f'OUT {out!r} is not empty; give a new folder')
    around = names.copy_around(out)
    if around and around != dst:
        raise CannotUndo(f'OUT {out!r} lies in the copy {around!r}, which is handed over; give another folder')
    if osp.commonpath([dst, out]) in (dst, out):
        raise CannotUndo(f'OUT {out!r} and DST {dst!r} must not lie in each other: plain pictures would be handed over')
    for _ in manifest.rows(key):  # the HMAC stands at the end: before anything is written
        pass
    files = names.NameMap(name_map).read() if settings.rename else {}
    problems = []

    def items():
        for row, data in pictures(dst, manifest.rows(key), settings, lambda *problem: problems.append(problem)):
            if settings.rename:
                file = files.get(osp.splitext(osp.basename(row['name']))[0])
                if file is None:
                    problems.append((row['name'], f'{name_map!r} does not know this name'))
                    continue
                yield row, data, osp.splitext(file)[0]
            else:
                yield row, data, names.to_id(row['name'], settings)

    results = ordered(items(), workers, Undo, (dst, out, settings, key))
    yield from progress(results, manifest.head['counts']['images'], 0) if progress else results
    for name, wrong in problems:
        yield name, 0.0, wrong


def _settings(manifest, key):
    """The copy's settings.

    Raises:
        CannotUndo: made with another key, or mixed.
    """
    try:
        settings, fingerprint = Settings.from_json(manifest.head['parameters']), manifest.head['key_fingerprint']
    except (KeyError, TypeError, ValueError) as error:
        raise CannotUndo(f'{manifest.path!r} has no sound head: {error!r}') from None
    if fingerprint != key.fingerprint:
        raise CannotUndo(f'the copy was made with the key {fingerprint}, and this one is {key.fingerprint}')
    if settings.strategy != 'shuffle':
        g = settings.grid
        raise CannotUndo(
            f'strategy {settings.strategy} averaged {g * g} pixels into each one: that cannot be undone, '
            'with a key or without. Nothing was written'
        )
    return settings
