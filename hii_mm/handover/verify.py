"""``hii-mm verify``: is a copy what its manifest says, and what its source would give again?"""

import hashlib
import os
import os.path as osp
import stat

import numpy as np

from . import names
from .files import sha256_file
from .manifest import Manifest, ManifestError
from .picture_job import encrypted
from .pictures import Reject, decode_as, encode, read_file
from .pool import ordered
from .settings import Settings
from .stored import pictures, row_bytes, safe_name


class Check:
    """Checks one picture; what :func:`pool.ordered` makes in each process."""

    def __init__(self, dst, settings, key, src):
        self.dst, self.settings, self.key, self.src = dst, settings, key, src

    def __call__(self, item):
        """(row, bytes or None, paths below SRC that it may come from) -> what is wrong, or None."""
        row, data, files = item
        try:
            data = row_bytes(self.dst, row, data)
            if hashlib.sha256(data).hexdigest() != row['sha256']:
                return row['name'], 'its SHA-256 is not the one in the manifest'
            image = decode_as(data, row['mode'])
            if list(image.shape[:2]) != row['encrypted_hw']:
                return row['name'], f'it has {image.shape[:2]} pixels (h, w), the manifest says {row["encrypted_hw"]}'
            if self.src is not None and files:
                wrong = [self._against(row, file, data, image) for file in files]
                return row['name'], None if None in wrong else wrong[0]
        except Reject as error:
            return row['name'], str(error)
        return row['name'], None

    def _against(self, row, file, data, image):
        """What is wrong with a picture beside its source."""
        try:
            again, fit, _ = encrypted(read_file(self.src, file), self.settings, self.key, osp.splitext(file)[0])
        except Reject as error:
            return f'its source {file!r} cannot be encrypted: {error}'
        if list(fit.fitted_hw) != row['plain_hw']:
            return f'its source {file!r} is {fit.fitted_hw} pixels (h, w), the manifest says {row["plain_hw"]}'
        if self.settings.format == 'jpeg':
            same = encode(again, self.settings.extension) == data
        else:
            same = again.shape == image.shape and np.array_equal(again, image)
        return None if same else f'its pixels are not those that the source {file!r} gives'


def verify(dst, key=None, src=None, workers=1, progress=None):  # noqa: C901
    """Every problem of a copy.

    Args:
        dst (str): the copy.
        key: the :class:`MasterKey`; None checks sums and sizes only.
        src (str): the source, to encrypt again and compare; needs the key.
        workers (int): processes.
        progress: as in :class:`Request`.

    Yields:
        tuple: (name, what is wrong).
    """
    dst, problems = osp.realpath(dst), []
    try:
        manifest = Manifest(dst)
        settings, files = Settings.from_json(manifest.head['parameters']), manifest.head['files']
        images, fingerprint = manifest.head['counts']['images'], manifest.head['key_fingerprint']
        expected = {row['name']: (row['sha256'], row['bytes']) for row in files}
    except (ManifestError, KeyError, TypeError, ValueError) as error:
        yield names.MANIFEST, f'{error}' if isinstance(error, ManifestError) else f'no sound head: {error!r}'
        return
    if key is not None and fingerprint != key.fingerprint:
        yield names.MANIFEST, f'it names the key {fingerprint}, and this one is {key.fingerprint}'
        return
    if osp.islink(manifest.path):
        yield names.MANIFEST, 'no plain file'
    yield from _files(dst, expected)
    known, seen = {names.MANIFEST, *expected}, 0
    sources = None if src is None else names.sources(osp.realpath(src), settings, key)

    def items():
        nonlocal seen
        for row, data in pictures(dst, manifest.rows(key), settings, lambda *problem: problems.append(problem)):
            seen += 1
            if row['name'] in known and data is None:
                problems.append((row['name'], 'it is in the manifest twice'))
            if data is None:
                known.add(row['name'])
            files = []
            if sources is not None:
                files = sources.pop(_source_key(row['name'], settings), [])
                if not files:
                    problems.append((row['name'], 'SRC holds no picture that it comes from'))
            yield row, data, files

    args = (dst, settings, key, None if src is None else osp.realpath(src))
    batch = 1 if settings.format == 'shards' else 16  # with shards the pictures themselves are handed to the workers
    results = ordered(items(), workers, Check, args, batch=batch)
    try:
        for name, wrong in progress(results, images, 0) if progress else results:
            if wrong:
                yield name, wrong
            while problems:
                yield problems.pop(0)
    except ManifestError as error:
        yield names.MANIFEST, str(error)
    yield from problems
    if seen != images:
        yield names.MANIFEST, f'it counts {images} images and lists {seen}'
    yield from _extra(dst, known)
    if sources is not None:
        yield from _left_out(dst, sources, key, settings, expected)


def _files(dst, expected):
    """What is wrong with the files that are no pictures."""
    for name, sums in expected.items():
        path = osp.join(dst, str(name))
        if not safe_name(name):
            yield names.MANIFEST, f'it names {name!r}, which is no path within the copy'
        elif not osp.lexists(path):
            yield name, 'missing'
        elif not stat.S_ISREG(os.lstat(path).st_mode):
            yield name, 'no plain file'
        elif sha256_file(path) != sums:
            yield name, 'its SHA-256 is not the one in the manifest'


def _extra(dst, known):
    """Files and links that the manifest does not know."""
    for folder, folders, found in os.walk(dst):
        links = [name for name in folders if osp.islink(osp.join(folder, name))]
        for name in sorted(found + links):
            below = osp.relpath(osp.join(folder, name), dst)
            if below not in known:
                yield below, 'not in the manifest'


def _source_key(name, settings):
    """What a picture of the copy and its source have in common."""
    return osp.splitext(osp.basename(name))[0] if settings.rename else names.to_id(name, settings)


def _left_out(dst, sources, key, settings, expected):
    """Sources that are neither in the copy nor among its rejects."""
    import json

    if any(name.startswith('annotations/') for name in expected):
        return  # with --ann only the pictures that the json files name are handed over
    told = set()
    if names.REJECTS in expected and osp.isfile(osp.join(dst, names.REJECTS)):
        try:
            with open(osp.join(dst, names.REJECTS), encoding='utf-8') as file:
                told = {json.loads(line)['name'] for line in file}
        except (OSError, ValueError, KeyError, TypeError):
            return  # its sum is wrong, which was said
    for common, files in sources.items():
        if (common if settings.rename else files[0]) not in told:
            yield files[0], 'it is in SRC, but neither in the copy nor among its rejects'
