"""The job of a worker: read, encrypt, encode and write one source file."""

from __future__ import annotations

import errno
import hashlib
import os
import os.path as osp
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..encryption import MasterKey, Plan
from ..encryption.keyed import dataset_bytes, id_bytes
from ..encryption.mixup import MixupPlan
from ..errors import RejectedError
from ..files import naming, write_atomically
from ..images import MAX_PIXELS, decode_upright, encode, mode_of, read_file
from . import coco_move, names
from .coco import AnnotationFile
from .fit import Fit, plan_fit
from .rows import Line, Moved, Reject, Row
from .settings import Settings


def encrypted(data: bytes, settings: Settings, key: MasterKey, image_id: str) -> tuple[np.ndarray, Fit, Plan]:
    """Decode, fit and encrypt an image file.

    Args:
        data: the content of the file.
        settings: of the copy.
        key: the plan is derived from.
        image_id: of the image.

    Returns:
        The encrypted pixels (H, W) or (H, W, C), how the image was fitted, and the plan.

    Raises:
        RejectedError: an image that cannot be read or encrypted.
    """
    plain, orientation = decode_upright(data)
    fit = fitted(settings, plain.shape[:2], orientation)
    large = [plain]  # holds the only reference, so that each step can free what the one before it made
    del data, plain
    try:
        large.append(fit.image_of(large))
        plan = settings.scheme.plan(large[0].shape, key=key, image_id=image_id, dataset_id=settings.dataset_id)
        grid = plan.steps[0].grid
        check_pixels(grid.fitted_shape, 'padding')
        large.append(np.ascontiguousarray(grid.fit(large.pop())))
        return _of_fitted(plan).apply(large.pop()), fit, plan
    except ValueError as error:
        raise RejectedError(str(error)) from None


def _of_fitted(plan: Plan) -> Plan:
    """Return the plan for an image that is padded or cropped to whole patches already."""
    first = plan.steps[0]
    first = replace(first, grid=replace(first.grid, plain_shape=first.grid.fitted_shape))
    return replace(plan, mixup=first) if isinstance(first, MixupPlan) else replace(plan, shuffle=first)


def fitted(settings: Settings, plain_hw: tuple[int, int], orientation: int = 1) -> Fit:
    """Return how an upright image of (h, w) is fitted.

    Raises:
        RejectedError: a size that is too large, or not a multiple of the patch size where nothing fits it.
    """
    fit = plan_fit(settings, plain_hw, orientation)
    (h, w), (ph, pw) = fit.fitted_hw, settings.scheme.patch_size
    if settings.fit is None and (h % ph or w % pw):
        raise RejectedError(
            f'{w} x {h} pixels (w x h) are not a multiple of the patch, {pw} x {ph}; use --fit crop, resize or pad'
        )
    for hw in (fit.scaled_hw, fit.fitted_hw):
        check_pixels(hw, 'resizing')
    return fit


def check_pixels(hw: tuple[int, int], after: str) -> None:
    """Raise RejectedError for (h, w) that are too large."""
    h, w = hw
    if h * w > MAX_PIXELS:
        raise RejectedError(f'{w} x {h} pixels after {after} exceed the limit of {MAX_PIXELS}')


def source_digest(data: bytes, settings: Settings, key: MasterKey, image_id: str) -> str:
    """Return 16 hex digits that tell whether a source file changed.

    Keyed, and bound to the data set and the image, so that they show neither
    which picture it is nor which pictures are equal.
    """
    digest = hashlib.sha256(data).digest()
    fields = dataset_bytes(str(settings.dataset_id)), id_bytes(image_id), digest
    return key.derive('hii-mm source v1', *fields, length=8).hex()


class Encrypter:
    """Encrypts one source file after another; made once in each process by :func:`.pool.ordered`.

    Args:
        src: the real path of the source folder.
        dst: the real path of the copy.
        settings: of the copy.
        key: the plans are derived from.
        scratch: folder for unfinished files; None returns the content instead of writing it, for tar files.
        annotations: the COCO files.
    """

    def __init__(
        self,
        src: str,
        dst: str,
        settings: Settings,
        key: MasterKey,
        scratch: str | None,
        annotations: Sequence[AnnotationFile],
    ) -> None:
        self._src, self._dst, self._settings, self._key = src, dst, settings, key
        self._scratch, self._annotations = scratch, annotations
        self._folders: set[str] = set()

    def __call__(self, numbered: tuple[int, names.Entry]) -> tuple[Line, bytes | None]:
        """Encrypt (number, entry); returns the line for the journal, and the content if it is not written."""
        i, entry = numbered
        line = Line(i=i)
        try:
            if entry.reason:
                raise RejectedError(entry.reason)
            with naming(osp.join(self._src, entry.file)):
                self._check_there(entry)
                data = self._encrypt(entry, line)
            if self._scratch is None:
                return line, data
            self._write(entry.name, data, self._scratch)
            return line, None
        except RejectedError as error:
            name = names.reported_name(entry.file, self._key, self._settings)
            return Line(i=i, reject=Reject(name, str(error))), None

    def _encrypt(self, entry: names.Entry, line: Line) -> bytes:
        """Return the encrypted image file, and fill in the line.

        Raises:
            RejectedError: an image that cannot be read or encrypted.
        """
        content = [read_file(self._src, entry.file)]
        source = source_digest(content[0], self._settings, self._key, entry.image_id)
        # here and below a large picture is given away, so that it can be freed before the next one is made of it
        image, fit, plan = encrypted(content.pop(), self._settings, self._key, entry.image_id)
        if self._annotations:
            self._move_annotations(entry, line, fit, plan)
        (h, w), mode, pixels = image.shape[:2], mode_of(image), [image]
        del image
        data = encode(pixels.pop(), self._settings.extension)
        digest = hashlib.sha256(data).hexdigest()
        line.row = Row(entry.name, digest, len(data), mode, fit.fitted_hw, (h, w), source)
        return data

    def _check_there(self, entry: names.Entry) -> None:
        """Check that a file did not vanish since it was listed, as with a disk that was unplugged.

        Files that annotations name may be missing, unless nothing is left of SRC.

        Raises:
            OSError: it did, or it cannot be told.
        """
        path = osp.join(self._src, entry.file)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            if not self._annotations or not os.listdir(self._src):
                raise
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise

    def _move_annotations(self, entry: names.Entry, line: Line, fit: Fit, plan: Plan) -> None:
        """Fill in the moved annotations of an image, and what was left out."""
        moved, dropped, odd = list[Moved](), Counter[str](), list[Reject]()
        for number, part in enumerate(self._annotations):
            for plain, plain_rows in part.images.get(entry.file, ()):
                found = coco_move.move(plain, plain_rows, fit, plan, self._settings.boxes_frame)
                prefix = '' if self._settings.rename else part.prefix
                found.image['file_name'] = osp.relpath(entry.name, prefix or '.')
                moved.append(Moved(number, found.image, found.rows))
                dropped.update(found.dropped)
                odd += [Reject(f'{part.name}: annotations[{index}]', why) for index, why in found.odd]
        line.annotations, line.dropped, line.odd = moved, dict(dropped), odd or None
        line.turned = bool(moved) and fit.orientation != 1

    def _write(self, name: str, data: bytes, scratch: str) -> None:
        """Write one file below DST.

        Raises:
            RejectedError: its path is too long.
            OSError: the folder is a symbolic link, the disk is full, or the like.
        """
        try:
            self._make_folder(osp.join(self._dst, osp.dirname(name)).rstrip('/'))
            write_atomically(osp.join(self._dst, name), data, scratch)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            advice = '' if self._settings.rename else ' or use --rename'
            raise RejectedError(f'its path in DST is too long; choose a DST with a shorter path{advice}') from None

    def _make_folder(self, folder: str) -> None:
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            if osp.realpath(folder) != folder:
                raise OSError(f'{folder!r} is a symbolic link; refusing to write through it')
            self._folders.add(folder)
