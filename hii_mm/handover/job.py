"""What a worker does with one source file: read, encrypt, encode, write."""

from __future__ import annotations

import hashlib
import os
import os.path as osp
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..encryption import MasterKey, Plan
from ..errors import RejectedError
from ..files import write_atomically
from ..images import MAX_PIXELS, decode, encode, mode_of, read_file
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
    plain = decode(data)
    fit = plan_fit(settings, plain.shape[:2])
    _check_fitted(fit, settings)
    try:
        image = fit.image(plain)
        plan = settings.scheme.plan(image.shape, key=key, image_id=image_id)
        _check_pixels(plan.steps[0].grid.fitted_shape, 'padding')
        return plan.apply(image), fit, plan
    except ValueError as error:
        raise RejectedError(str(error)) from None


def _check_fitted(fit: Fit, settings: Settings) -> None:
    """Raise RejectedError for sizes that are too large, or not a multiple of the patch size without a fit."""
    (h, w), (ph, pw) = fit.fitted_hw, settings.scheme.patch_size
    if settings.fit is None and (h % ph or w % pw):
        raise RejectedError(
            f'{w} x {h} pixels (w x h) are not a multiple of the patch, {pw} x {ph}; use --fit crop, resize or pad'
        )
    for hw in (fit.scaled_hw, fit.fitted_hw):
        _check_pixels(hw, 'resizing')


def _check_pixels(hw: tuple[int, int], after: str) -> None:
    h, w = hw
    if h * w > MAX_PIXELS:
        raise RejectedError(f'{w} x {h} pixels after {after} exceed the limit of {MAX_PIXELS}')


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
            data = self._encrypt(entry, line)
        except RejectedError as error:
            name = names.reported_name(entry.file, self._key, self._settings)
            return Line(i=i, reject=Reject(name, str(error))), None
        if self._scratch is None:
            return line, data
        self._write(entry.name, data, self._scratch)
        return line, None

    def _encrypt(self, entry: names.Entry, line: Line) -> bytes:
        """Return the encrypted image file, and fill in the line.

        Raises:
            RejectedError: an image that cannot be read or encrypted.
        """
        image, fit, plan = encrypted(read_file(self._src, entry.file), self._settings, self._key, entry.image_id)
        if self._annotations:
            line.annotations, line.dropped = self._move_annotations(entry, fit, plan)
        data = encode(image, self._settings.extension)
        h, w = image.shape[:2]
        line.row = Row(entry.name, hashlib.sha256(data).hexdigest(), len(data), mode_of(image), fit.fitted_hw, (h, w))
        return data

    def _move_annotations(self, entry: names.Entry, fit: Fit, plan: Plan) -> tuple[list[Moved], dict[str, int]]:
        """Return the moved annotations of an image, and how often what was left out."""
        moved, dropped = [], Counter[str]()
        for number, part in enumerate(self._annotations):
            for plain, plain_rows in part.images.get(entry.file, ()):
                image, rows, lost = coco_move.move(plain, plain_rows, fit, plan)
                image['file_name'] = osp.relpath(entry.name, part.prefix or '.')
                moved.append(Moved(number, image, rows))
                dropped.update(lost)
        return moved, dict(dropped)

    def _write(self, name: str, data: bytes, scratch: str) -> None:
        """Write one file below DST.

        Raises:
            OSError: the folder is a symbolic link, the disk is full, or the like.
        """
        folder = osp.join(self._dst, osp.dirname(name)).rstrip('/')
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            if osp.realpath(folder) != folder:
                raise OSError(f'{folder!r} is a symbolic link; refusing to write through it')
            self._folders.add(folder)
        write_atomically(osp.join(self._dst, name), data, scratch)
