"""What ``hii-mm encrypt`` wrote, as cases: the one place here that knows its files."""

import os.path as osp
from pathlib import Path

import numpy as np

from .base import Setting
from .cases import Case, NothingError, SourceError

JPEG_OFF = 8  # levels: by how much JPEG of quality 95 changes a pixel at most, on average


def dataset_folder(sources):
    """The folder with a ``manifest.json``, if the one source is such; else None."""
    if len(sources) == 1 and (Path(sources[0]) / 'manifest.json').is_file():
        return Path(sources[0])
    return None


def load(folder, against=None, key=None, count=None):
    """The pictures of an encrypted copy, with as much truth as is given.

    Args:
        folder: what ``hii-mm encrypt`` wrote.
        against: the plain folder it was made from, or None: the trainer's view.
        key: the key file, or None: without it pictures can be compared, but
            not the places of their pieces.
        count: pictures at most.

    Returns:
        tuple: [Case], and lines about what was left out.

    Raises:
        SourceError: no sound manifest, another key, or a key without the plain folder.
    """
    from ..handover import Manifest, ManifestError, Settings
    from ..handover.stored import pictures

    if key and not against:
        raise SourceError('--key needs --against: figures compare with the plain pictures')
    left = []
    try:
        manifest = Manifest(osp.realpath(folder))
        settings = Settings.from_json(manifest.head['parameters'])
        truth = _Truth(osp.realpath(against), key, settings, manifest.head) if against else None
        cases = []
        stored = pictures(osp.realpath(folder), manifest.rows(), settings, lambda *what: left.append(': '.join(what)))
        for row, data in stored:
            if count is not None and len(cases) >= count:
                left.append(f'the other pictures of {folder}: --images {count}')
                break
            _add(cases, left, folder, row, data, settings, truth)
    except (ManifestError, KeyError, TypeError) as error:
        raise SourceError(f'{folder}: {error}') from None
    if not cases:
        raise NothingError(f'{folder} has no picture that can be attacked: {"; ".join(left[:3])}')
    return cases, left


def _add(cases, left, folder, row, data, settings, truth):
    """Append the case of one row, or a line about why not."""
    from ..handover.pictures import Reject, decode_as
    from ..handover.stored import row_bytes

    try:
        encrypted = decode_as(row_bytes(osp.realpath(folder), row, data), row['mode'])
        plain, plan = truth.of(row, encrypted) if truth else (None, None)
    except (Reject, ValueError) as error:
        left.append(f'{row["name"]}: {error}')
    else:
        setting = Setting(settings.steps, tuple(row['plain_hw']))
        cases.append(Case(row['name'], 0, setting, encrypted, plain, plan))


class _AnyKey:
    """Stands for a key that is not there: where no patch is dropped, all shuffles of a picture have the same pixels."""

    @staticmethod
    def source(params, image_id):
        """Random numbers."""
        return np.random.default_rng(0)


class _Truth:
    """The plain pictures and plans behind the rows of a manifest.

    Raises:
        SourceError: another key than the copy's, or names that only the key can read.
    """

    def __init__(self, src, key, settings, head):
        from ..encryption.keyed import read_key
        from ..handover import names

        self.src, self.settings, self.key = src, settings, read_key(key) if key else None
        if self.key and self.key.fingerprint != head['key_fingerprint']:
            raise SourceError(
                f'the copy was made with the key {head["key_fingerprint"]}, and {key} is {self.key.fingerprint}'
            )
        if settings.rename and not self.key:
            raise SourceError('the copy was renamed: --against needs --key to tell which picture is which')
        found = names.sources(src, settings, self.key)
        self.files = {name: (files[0], osp.splitext(files[0])[0]) for name, files in found.items()}

    def of(self, row, encrypted):
        """(plain pixels as they were encrypted, plan of the shuffle or None) of a row.

        Args:
            row: of the manifest.
            encrypted: its pixels.

        Raises:
            ValueError, Reject: the plain picture is not there, or another one.
        """
        from ..handover import names
        from ..handover.fit import plan_fit
        from ..handover.pictures import decode, read_file

        name = (
            osp.splitext(osp.basename(row['name']))[0]
            if self.settings.rename
            else names.to_id(row['name'], self.settings)
        )
        if name not in self.files:
            raise ValueError(f'its plain picture is not in {self.src}')
        file, image_id = self.files[name]
        plain = decode(read_file(self.src, file))
        plain = plan_fit(self.settings, plain.shape[:2]).image(plain)
        if list(plain.shape[:2]) != list(row['plain_hw']):
            raise ValueError(f'{file} is {plain.shape[:2]}, and the manifest says {row["plain_hw"]}')
        plans = self.settings.plans(self.key or _AnyKey, image_id, plain.shape[:2])
        if not self._fits(plain, plans, encrypted):
            raise ValueError(f'{file} is not the picture that was encrypted')
        return plain, plans[-1] if self.key and self.settings.strategy != 'mixup' else None

    def _fits(self, plain, plans, encrypted):
        """Does the plain picture give these encrypted pixels? Without the key their order is not looked at."""
        shuffle = Setting(self.settings.steps).shuffle
        for plan in plans:
            plain = plan.apply(plain)
        if plain.shape != encrypted.shape:
            return False
        if shuffle and not self.key:
            if shuffle.drop_ratio:
                return True  # who knows which patches are left
            plain, encrypted = (np.sort(each.reshape(-1, *each.shape[2:]), axis=0) for each in (plain, encrypted))
        if self.settings.format == 'jpeg':
            return np.abs(plain.astype(np.float32) - encrypted).mean() <= JPEG_OFF
        return np.array_equal(plain, encrypted)
