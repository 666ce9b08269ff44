"""Say what ``encrypt`` would do, without writing anything."""

from __future__ import annotations

import contextlib
import os
import os.path as osp
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..encryption import MasterKey, Plan, Scheme, new_dataset_id
from ..errors import HiiError, RefusedError, RejectedError
from ..files import StrPath
from ..images import check_encodable, header
from ..progress import Progress, counted, silent
from . import coco, coco_move, names
from .encrypt import list_source
from .fit import Fit, plan_fit
from .job import Encrypter, check_pixels, fitted
from .results import Problem
from .settings import FITS, Settings, Size

SAMPLE = 12  # images that are encrypted to estimate time and size
HW = tuple[int, int]


class Remedy(NamedTuple):
    """An argument of ``encrypt`` under which fewer files are rejected: its name, its value and how many fewer."""

    option: str
    value: str | bool
    more: int


@dataclass
class DryRun:
    """The result of :func:`dry_run`.

    Attributes:
        images: images that would be encrypted.
        rejects: files that would be rejected, by their path below the source folder. Damage inside of a file
            is found only in the sample.
        remedies: what would make some of them fit.
        lost: share of the pixels of the source that the copy would not hold: cropped, scaled down, mixed, in
            a gap or dropped.
        smallest: (h, w) of the smallest plain image in pixels, or None without images.
        largest: (h, w) of the largest one.
        source_bytes: size of the plain files that would be encrypted.
        copy_bytes: estimated size of their encrypted versions.
        seconds: estimated time of one process, without the time to write.
        sample: number of images that the estimates were measured on.
    """

    images: int = 0
    rejects: list[Problem] = field(default_factory=list)
    remedies: list[Remedy] = field(default_factory=list)
    lost: float = 0.0
    smallest: HW | None = None
    largest: HW | None = None
    source_bytes: int = 0
    copy_bytes: int = 0
    seconds: float = 0.0
    sample: int = 0


def dry_run(
    src: StrPath,
    *,
    scheme: Scheme,
    size: Size = None,
    fit: str | None = None,
    format: str = 'png',
    annotations: Sequence[StrPath] = (),
    rename: bool = False,
    keep_class_names: bool = False,
    boxes_frame: str = 'upright',
    progress: Progress = silent,
) -> DryRun:
    """Return what :func:`.encrypt.encrypt` would do with the same arguments. Nothing is written.

    The header of each file is read; a few images are encrypted to measure time and size. No key is needed.

    Args:
        src: the folder of plain images.
        scheme: how images are encrypted.
        size: see :func:`.encrypt.encrypt`.
        fit: likewise.
        format: likewise.
        annotations: likewise.
        rename: likewise.
        keep_class_names: likewise.
        boxes_frame: likewise.
        progress: called after each file.

    Raises:
        UsageError: wrong arguments.
        CopyError: a folder without files.
        OSError: a folder or a file cannot be read now.
    """
    if not osp.isdir(src):
        raise RefusedError(f'SRC {os.fspath(src)!r} is not a folder')
    settings = Settings(
        scheme,
        size,
        fit,
        format,
        rename,
        dataset_id=new_dataset_id(),
        keep_class_names=keep_class_names,
        boxes_frame=boxes_frame,
    )
    files = coco.read_all([annotations] if isinstance(annotations, (str, os.PathLike)) else annotations)
    return _DryRunner(osp.realpath(src), settings, files).run(progress)


class _Shape(NamedTuple):
    """The encrypted size of images of one size; the images of a data set share it."""

    plain_hw: HW
    encrypted_hw: HW
    kept: float


class _Checked(NamedTuple):
    """An image that would be encrypted."""

    entry: names.Entry
    shape: _Shape


class _DryRunner:
    """Checks the headers of one source folder."""

    def __init__(self, src: str, settings: Settings, annotations: Sequence[coco.AnnotationFile]) -> None:
        self._src, self._settings, self._annotations = src, settings, annotations
        self._key = MasterKey(os.urandom(32))  # only pseudonyms and plans depend on it, which are not shown
        self._shapes: dict[tuple[Settings, HW], _Shape] = {}

    def run(self, progress: Progress) -> DryRun:
        """Check all files."""
        out, checked, rejected = DryRun(), list[_Checked](), list[names.Entry]()
        with contextlib.closing(list_source(self._src, self._settings, self._key, self._annotations)) as listing:
            for entry in counted(listing, progress, len(listing)):
                try:
                    checked.append(self._check(entry, self._settings))
                except RejectedError as error:
                    out.rejects.append(Problem(entry.file, str(error)))
                    rejected.append(entry)
        out.remedies = list(self._remedies(rejected))
        self._estimate(out, checked)
        self._sum(out, checked)
        return out

    def _check(self, entry: names.Entry, settings: Settings) -> _Checked:
        """Return what would become of a file.

        Raises:
            RejectedError: it would be rejected.
        """
        reason = entry.reason
        if reason is not None and settings is not self._settings:
            reason = names.reject_reason(*osp.splitext(entry.file), settings)
            if names.reject_reason(*osp.splitext(entry.file), self._settings) is None:
                reason = entry.reason  # it clashes with another file
        if reason is not None:
            raise RejectedError(reason)
        hw, mode, orientation = header(self._src, entry.file)
        if (settings, hw) not in self._shapes:
            self._shapes[settings, hw] = _shape(settings, hw)
        shape = self._shapes[settings, hw]
        check_encodable(mode, shape.encrypted_hw, settings.extension)
        for part in self._annotations:
            for image, _ in part.images.get(entry.file, ()):
                coco_move.check_size(image, plan_fit(settings, hw, orientation), settings.boxes_frame)
        return _Checked(entry, shape)

    def _remedies(self, rejected: list[names.Entry]) -> Iterator[Remedy]:
        """Yield the arguments under which some of the rejected files fit."""
        tried: list[tuple[str, str | bool]] = [('fit', fit) for fit in FITS if fit != self._settings.fit]
        tried += [('format', 'png')] if self._settings.format in ('webp', 'jpeg') else []
        tried += [] if self._settings.rename else [('rename', True)]
        for option, value in tried:
            change: dict[str, Any] = {option: value}
            try:
                settings = replace(self._settings, **change)
            except HiiError:
                continue
            more = sum(self._fits(entry, settings) for entry in rejected)
            if more:
                yield Remedy(option, value, more)

    def _fits(self, entry: names.Entry, settings: Settings) -> bool:
        try:
            self._check(entry, settings)
        except RejectedError:
            return False
        return True

    def _estimate(self, out: DryRun, checked: list[_Checked]) -> None:
        """Encrypt a sample; estimate time and size. Images of the sample that are damaged become rejects."""
        work = Encrypter(self._src, '', self._settings, self._key, None, self._annotations)
        seconds, plain, encrypted, written = 0.0, 0, 0, 0
        for one in checked[:: max(1, -(-len(checked) // SAMPLE))]:
            begun = time.perf_counter()
            line, data = work((0, one.entry))
            seconds += time.perf_counter() - begun
            if line.reject is not None:
                out.rejects.append(Problem(one.entry.file, line.reject.reason))
                checked.remove(one)
                continue
            out.sample += 1
            plain += _area(one.shape.plain_hw)
            encrypted += _area(one.shape.encrypted_hw)
            written += len(data or b'')
        if out.sample:
            out.seconds = seconds / plain * sum(_area(one.shape.plain_hw) for one in checked)
            out.copy_bytes = round(written / encrypted * sum(_area(one.shape.encrypted_hw) for one in checked))

    def _sum(self, out: DryRun, checked: list[_Checked]) -> None:
        """Fill in what follows from the sizes of all images."""
        out.images = len(checked)
        if checked:
            areas = [_area(one.shape.plain_hw) for one in checked]
            out.lost = 1 - sum(area * one.shape.kept for area, one in zip(areas, checked)) / sum(areas)
            out.smallest = checked[areas.index(min(areas))].shape.plain_hw
            out.largest = checked[areas.index(max(areas))].shape.plain_hw
            out.source_bytes = sum(osp.getsize(osp.join(self._src, one.entry.file)) for one in checked)


def _shape(settings: Settings, hw: HW) -> _Shape:
    """Return what becomes of upright images of (h, w).

    Raises:
        RejectedError: they would be rejected.
    """
    fit = fitted(settings, hw)
    try:
        plan = settings.scheme.plan(fit.fitted_hw, np.random.default_rng(0))  # any plan has these shapes
    except ValueError as error:
        raise RejectedError(str(error)) from None
    check_pixels(plan.steps[0].grid.fitted_shape, 'padding')
    return _Shape(hw, plan.encrypted_shape, _kept(fit, plan))


def _area(hw: HW) -> int:
    return hw[0] * hw[1]


def _kept(fit: Fit, plan: Plan) -> float:
    """Return the share of the pixels of a plain image that its encrypted version holds."""
    grid = plan.steps[0].grid.fitted_shape
    scaled = min(1.0, _area(fit.scaled_hw) / _area(fit.plain_hw))
    window = _overlap(fit.fitted_hw, fit.scaled_hw) / _area(fit.scaled_hw)
    cropped = _overlap(grid, fit.fitted_hw) / _area(fit.fitted_hw)
    return scaled * window * cropped * _area(plan.encrypted_shape) / _area(grid)


def _overlap(a: HW, b: HW) -> int:
    return min(a[0], b[0]) * min(a[1], b[1])
