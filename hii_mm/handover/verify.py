"""Check a copy against its manifest, and against its source."""

from __future__ import annotations

import contextlib
import hashlib
import os
import os.path as osp
from collections.abc import Iterable, Iterator

import numpy as np

from ..encryption import MasterKey, checks
from ..errors import CopyError, ManifestError, RejectedError, UsageError
from ..files import StrPath, naming
from ..images import decode_as, encode, read_file
from ..progress import Progress, counted, silent
from . import names, safety
from .file_checker import FileChecker
from .job import encrypted
from .layout import ANNOTATIONS, MANIFEST, REJECTS, WORK, safe_name
from .manifest import Manifest
from .parsing import parse_lines
from .pool import ordered
from .reader import pictures, row_bytes
from .results import Problem, Verification
from .rows import FileRow, Reject, Row
from .settings import Settings
from .sizes import WRONG_SUM, check_size
from .sources import images_first, sources_of
from .temporary import Groups, Names


def verify(
    dst: StrPath,
    *,
    key: MasterKey | StrPath | None = None,
    against: StrPath | None = None,
    deep: bool = False,
    workers: int = 1,
    progress: Progress = silent,
) -> Verification:
    """Check every file of a copy: images and tar files by their size, or with ``deep`` by their content.

    Args:
        dst: the copy.
        key: the master key, or the path of its file, to check the signature.
            Without it only checksums and sizes are checked, which anybody can make.
        against: the source folder, to encrypt it again and compare; needs the key, and implies ``deep``.
        deep: read every byte of every file, compare checksums and decode the
            images. Without it a file that was changed, but has its size, is not found.
        workers: number of processes.
        progress: called after each image.

    Returns:
        All problems; a missing or damaged manifest is one, too.

    Raises:
        UsageError: ``against`` without ``key``, not a folder, or a key that cannot be used.
        OSError: a file that cannot be read now, which says nothing about the copy.
    """
    deep = checks.flag('deep', deep) or against is not None
    workers = checks.whole('workers', workers, 1)
    secret = None if key is None else safety.load_key(key)
    if against is not None and secret is None:
        raise UsageError('against needs the key, as the source is encrypted again')
    if against is not None and not osp.isdir(against):
        raise UsageError(f'source folder not found: {os.fspath(against)!r}')
    result = Verification(signed=secret is not None, deep=deep, compared=against is not None)
    src = None if against is None else osp.realpath(against)
    with contextlib.closing(_Check(osp.realpath(dst), secret, src, result)) as check:
        try:
            check.run(workers, progress)
        except ManifestError as error:
            check.report(MANIFEST, str(error))
    return result


class _Check:
    """Checks one copy and collects the problems."""

    def __init__(self, dst: str, key: MasterKey | None, src: str | None, result: Verification) -> None:
        self._dst, self._key, self._src, self._result = dst, key, src, result
        self._known, self._shards = Names(), set[str]()
        self._known.add(MANIFEST)

    def close(self) -> None:
        """Remove the temporary file."""
        self._known.close()

    def report(self, name: str, reason: str) -> None:
        """Add a problem."""
        self._result.problems.append(Problem(name, reason))

    def run(self, workers: int, progress: Progress) -> None:
        """Check everything.

        Raises:
            ManifestError: a manifest that is missing or damaged.
        """
        manifest = Manifest(self._dst)
        if self._key is not None and manifest.key_fingerprint != self._key.fingerprint:
            raise ManifestError(
                f'made with key {manifest.key_fingerprint!r}, but this key is {self._key.fingerprint!r}'
            )
        if osp.islink(manifest.path):
            self.report(MANIFEST, 'not a regular file')
        shards = manifest.settings.format == 'shards'
        for row in manifest.files:
            tarred = shards and row.name.endswith('.tar')
            self._check_file(row, deep=self._result.deep or not tarred)
            if tarred:
                self._shards.add(row.name)
        sources = Groups(()) if self._src is None else sources_of(self._src, manifest.settings, self._key)
        with contextlib.closing(sources):
            self._check_listed(manifest, sources, workers, progress)

    def _check_listed(self, manifest: Manifest, sources: Groups, workers: int, progress: Progress) -> None:
        """Check every image, and that nothing is left in the copy or in ``sources``."""
        try:
            self._check_images(manifest, sources, workers, progress)
        except ManifestError as error:
            self.report(MANIFEST, str(error))
        if self._result.images != manifest.counts.images:
            self.report(MANIFEST, f'counts {manifest.counts.images} images, but lists {self._result.images}')
        self._check_extra_files()
        self._check_left_out(manifest, sources)

    def _check_file(self, row: FileRow, deep: bool) -> None:
        """Check a file that is not an image."""
        if not safe_name(row.name):
            self.report(MANIFEST, f'contains {row.name!r}, which is not a path inside the copy')
            return
        self._known.add(row.name)
        _, _, problem = FileChecker(self._dst)((row, deep, 0, ()))
        if problem is not None:
            self.report(row.name, problem)

    def _check_images(self, manifest: Manifest, sources: Groups, workers: int, progress: Progress) -> None:
        """Check every image, and remove from ``sources`` those that became one."""
        settings = manifest.settings
        args = (self._dst, settings, self._key, self._src, self._result.deep)
        if not self._result.deep:
            workers = 1  # a size is read faster than it is sent to another process
        batch = 1 if settings.format == 'shards' else 16  # of tar files the contents are sent to the workers
        with ordered(self._images(manifest, sources), workers, Checker, args, batch=batch) as results:
            for name, reason in counted(results, progress, manifest.counts.images):
                if reason is not None:
                    self.report(name, reason)

    def _images(self, manifest: Manifest, sources: Groups) -> Iterator[tuple[Row, bytes | None, list[str]]]:
        """Yield each row, its content if from a tar file, and the source files it may come from."""
        settings = manifest.settings
        rows = manifest.rows(self._key)
        used = set[str]()
        images = pictures(self._dst, rows, settings, self.report) if self._result.deep else self._listed(rows)
        for row, data in images:
            self._result.images += 1
            if row.shard is not None and row.shard not in self._shards:
                self.report(row.name, f'its tar file {row.shard!r} is not listed in the manifest')
            if row.shard is not None:
                used.add(row.shard)
            if row.shard is None and not self._known.add(row.name):
                self.report(row.name, 'listed twice in the manifest')
            files = list[str]()
            if self._src is not None:
                files = images_first(sources.pop(names.source_name(row.name, settings)), settings)
                if not files:
                    self.report(row.name, 'SRC has no image that it comes from')
            yield row, data, files
        for shard in sorted(self._shards - used):
            self.report(shard, 'the manifest lists no image in it')

    def _listed(self, rows: Iterable[Row]) -> Iterator[tuple[Row, None]]:
        """Yield each row without the content of its image."""
        for row in rows:
            if not safe_name(row.name):
                raise ManifestError(f'the manifest contains {row.name!r}, which is not a path inside the copy')
            yield row, None

    def _check_extra_files(self) -> None:
        """Report files and links that the manifest does not list."""
        for folder, folders, found in os.walk(self._dst):
            if folder == self._dst and WORK in folders:
                folders.remove(WORK)
                self.report(WORK, 'left by a run that was stopped; run the same hii-mm command again to finish it')
            links = [name for name in folders if osp.islink(osp.join(folder, name))]
            for name in sorted(found + links):
                below = osp.relpath(osp.join(folder, name), self._dst)
                if below not in self._known:
                    self.report(below, 'not in the manifest')

    def _check_left_out(self, manifest: Manifest, sources: Groups) -> None:
        """Report source files that are neither in the copy nor among its rejects."""
        if any(row.name.startswith(f'{ANNOTATIONS}/') for row in manifest.files):
            return  # of a COCO data set only the images in the annotation files are encrypted
        rejected = set[str]()
        if any(row.name == REJECTS for row in manifest.files) and osp.isfile(osp.join(self._dst, REJECTS)):
            try:
                rejected = {row.name for row in parse_lines(osp.join(self._dst, REJECTS), Reject, CopyError)}
            except CopyError:
                return  # its checksum is wrong, which is reported already
        for common, files in sources.left():
            first = images_first(files, manifest.settings)[0]
            if (common if manifest.settings.rename else first) not in rejected:
                self.report(first, 'in SRC, but neither in the copy nor among its rejects')


class Checker:
    """Checks one image after another; made once in each process by :func:`.pool.ordered`."""

    def __init__(self, dst: str, settings: Settings, key: MasterKey | None, src: str | None, deep: bool) -> None:
        self._dst, self._settings, self._key, self._src, self._deep = dst, settings, key, src, deep

    def __call__(self, item: tuple[Row, bytes | None, list[str]]) -> tuple[str, str | None]:
        """Check (row, content or None, source files); returns the name, and the problem or None."""
        row, data, files = item
        try:
            if self._deep:
                with naming(osp.join(self._dst, row.shard or row.name)):
                    return row.name, self._problem(row, row_bytes(self._dst, row, data), files)
            if row.shard is None:
                check_size(self._dst, row)
            return row.name, None
        except RejectedError as error:
            return row.name, str(error)

    def _problem(self, row: Row, data: bytes, files: Iterable[str]) -> str | None:
        """Return what is wrong with an image, or None.

        Raises:
            RejectedError: it cannot be read.
        """
        if hashlib.sha256(data).hexdigest() != row.sha256:
            return WRONG_SUM
        image = decode_as(data, row.mode)
        if image.shape[:2] != row.encrypted_hw:
            return f'it has {image.shape[:2]} pixels (h, w), but the manifest says {row.encrypted_hw}'
        problems = [self._compare(row, file, data, image) for file in files]
        return problems[0] if problems and None not in problems else None

    def _compare(self, row: Row, file: str, data: bytes, image: np.ndarray) -> str | None:
        """Return what is wrong with an image compared with one source file, or None."""
        assert self._src is not None and self._key is not None
        try:
            again, fit, _ = encrypted(read_file(self._src, file), self._settings, self._key, osp.splitext(file)[0])
            same = (
                encode(again, self._settings.extension) == data
                if self._settings.format == 'jpeg'
                else np.array_equal(again, image)
            )
        except RejectedError as error:
            return f'its source {file!r} cannot be encrypted: {error}'
        if fit.fitted_hw != row.plain_hw:
            return f'its source {file!r} has {fit.fitted_hw} pixels (h, w), but the manifest says {row.plain_hw}'
        return None if same else f'its pixels are not those that the source {file!r} gives'
