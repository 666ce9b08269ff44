"""Description of a run: the first line of a journal, and the head of the manifest."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import msgspec

from ..encryption.keyed import PLAN_VERSION
from ..encryption.keys import MasterKey
from ..errors import OtherRunError
from ..files import sha256_file
from ..version import __version__
from .coco import AnnotationFile
from .listing import Listing
from .settings import Settings
from .temporary import text

# the first folder in the new name of each entry that is not rejected, see Listing.texts
_CLASS = re.compile(rb'(?:^|\0\0)([^\0/]+)/[^\0]*\0[^\0]+(?=\0\0)')


class CocoHead(msgspec.Struct):
    """A COCO file of the copy: its name, and the categories as they are written."""

    name: str
    categories: list[dict[str, Any]]


class Run(msgspec.Struct, omit_defaults=True):
    """Everything that all parts of a run and its continuations share.

    Attributes:
        tool: versions of the packages.
        plan_version: of the derivation of plans from the key.
        key_fingerprint: of the master key.
        dataset_id: of the :class:`.settings.Settings`.
        parameters: of the :class:`.settings.Settings`.
        annotations: the COCO files.
        files: number of source files.
        listing: keyed checksum of their names and of the COCO files, so that parts of different sources do not mix.
        classes: names of the class folders, for tar files.
    """

    tool: dict[str, str]
    plan_version: int
    key_fingerprint: str
    dataset_id: str
    parameters: dict[str, Any]
    annotations: list[CocoHead]
    files: int
    listing: str
    classes: list[str] | None = None

    @property
    def tarred(self) -> bool:
        """True if the images are written to tar files."""
        return self.parameters.get('format') == 'shards'

    @property
    def unit(self) -> int:
        """Number of source files that stay together: those of one tar file, or 1."""
        size = self.parameters.get('shard_size')
        return size if self.tarred and isinstance(size, int) and size > 0 else 1


def describe(settings: Settings, key: MasterKey, listing: Listing, annotations: Sequence[AnnotationFile]) -> Run:
    """Return the run that encrypts the files of a listing."""
    digest, classes = hashlib.sha256(), set[bytes]()
    for stored in listing.texts():
        digest.update(stored)
        classes.update(_CLASS.findall(stored))
    for part in annotations:
        digest.update(sha256_file(part.path)[0].encode() + part.prefix.encode())
    packages = {name: metadata.version(name) for name in ('numpy', 'pillow', 'cryptography')}
    run = Run(
        tool={'hii_mm': __version__, 'python': platform.python_version(), **packages},
        plan_version=PLAN_VERSION,
        key_fingerprint=key.fingerprint,
        dataset_id=str(settings.dataset_id),
        parameters=settings.to_json(),
        annotations=[CocoHead(part.name, part.categories) for part in annotations],
        files=len(listing),
        listing=key.derive('hii-mm listing v1', digest.digest(), length=8).hex(),
    )
    if settings.format == 'shards' and not annotations:
        run.classes = sorted(map(text, classes))
    return run


def check_same_run(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Check that two runs, as JSON values, agree.

    Raises:
        OtherRunError: they do not; the message names the first value that differs.
    """
    flat_old, flat_new = dict(_flat(old)), dict(_flat(new))
    derived = 'parameters.encrypted_patch_size'  # named last: it follows from the others
    for name in sorted(flat_old.keys() | flat_new.keys(), key=lambda name: (name == derived, name)):
        if flat_old.get(name) != flat_new.get(name):
            raise OtherRunError(
                f'DST was begun with {name} = {flat_old.get(name)!r}, but now it is {flat_new.get(name)!r}; '
                'use the same value, or choose a new folder'
            )


def _flat(values: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value
