"""What a worker does with one file: read, encrypt, encode, write."""

import hashlib
import os
import os.path as osp
from collections import Counter

from . import coco, names
from .files import write_atomically
from .fit import plan_fit
from .pictures import MOST_PIXELS, Reject, decode, encode, mode_of, read_file


def encrypted(data, settings, key, image_id):
    """A picture file's bytes, encrypted.

    Returns:
        tuple: pixels (H, W) or (H, W, C); the :class:`Fit`; the plan of each step.

    Raises:
        Reject: it cannot be read, or cannot be cut like this.
    """
    plain = decode(data)
    fit = plan_fit(settings, plain.shape[:2])
    if settings.fit is None and any(side % p for side, p in zip(fit.fitted_hw, settings.patch_size)):
        (h, w), (ph, pw) = fit.fitted_hw, settings.patch_size
        raise Reject(
            f'{w} x {h} pixels (w x h) are no multiple of the patch, {pw} x {ph}: say --fit crop, resize or pad'
        )
    for h, w in (fit.scaled_hw, fit.fitted_hw):
        if h * w > MOST_PIXELS:
            raise Reject(f'{w} x {h} pixels after resizing are more than {MOST_PIXELS}')
    try:
        image = fit.image(plain)
        plans = settings.plans(key, image_id, image.shape[:2])
        h, w = plans[0].grid.fitted_shape
        if h * w > MOST_PIXELS:
            raise Reject(f'{w} x {h} pixels after padding are more than {MOST_PIXELS}')
        for plan in plans:
            image = plan.apply(image)
    except ValueError as error:
        raise Reject(str(error)) from None
    return image, fit, plans


class Job:
    """Encrypts one file after another; what :func:`pool.ordered` makes in each process.

    Args:
        src, dst: the folders' real paths.
        settings, key: how.
        scratch: folder for unfinished files; None keeps the bytes in the result (for tar files).
        annotations: ``[AnnotationFile]``, or empty.
    """

    def __init__(self, src, dst, settings, key, scratch, annotations):
        self.src, self.dst, self.settings, self.key = src, dst, settings, key
        self.scratch, self.annotations, self._folders = scratch, annotations, set()

    def __call__(self, numbered):
        """(index, :class:`Entry`) -> (the journal's line, the picture's bytes or None)."""
        index, entry = numbered
        try:
            if entry.reason:
                raise Reject(entry.reason)
            image, fit, plans = encrypted(read_file(self.src, entry.file), self.settings, self.key, entry.image_id)
            line = self._follow(entry, fit, plans)
            data = encode(image, self.settings.extension)
        except Reject as error:
            told = names.told(entry.file, self.key, self.settings)
            return {'i': index, 'reject': {'name': told, 'reason': str(error)}}, None
        line['row'] = {
            'name': entry.name,
            'sha256': hashlib.sha256(data).hexdigest(),
            'bytes': len(data),
            'mode': mode_of(image),
            'plain_hw': list(fit.fitted_hw),
            'encrypted_hw': list(image.shape[:2]),
        }
        if self.scratch is None:
            return {'i': index, **line}, data
        self._write(entry.name, data)
        return {'i': index, **line}, None

    def _follow(self, entry, fit, plans):
        """The moved annotations, as part of the journal's line."""
        moved, dropped = [], Counter()
        for number, annotations in enumerate(self.annotations):
            for image, rows in annotations.images.get(entry.file, ()):
                image, rows, lost = coco.move(image, rows, fit, plans)
                image['file_name'] = osp.relpath(entry.name, annotations.prefix or '.')
                moved.append([number, image, rows])
                dropped.update(lost)
        return {'annotations': moved, 'dropped': dropped} if self.annotations else {}

    def _write(self, name, data):
        """Write one file below DST.

        Raises:
            OSError: the folder is a link out of DST, the disk is full, ...
        """
        folder = osp.join(self.dst, osp.dirname(name)).rstrip('/')
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            if osp.realpath(folder) != folder:
                raise OSError(f'{folder!r} is a symbolic link; nothing is written through it')
            self._folders.add(folder)
        write_atomically(osp.join(self.dst, name), data, self.scratch)
