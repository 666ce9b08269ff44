"""Write an encrypted copy of an image folder or a COCO data set."""

from __future__ import annotations

import contextlib
import os
import os.path as osp
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from ..encryption import MasterKey, Scheme, checks
from ..errors import CopyError, OtherRunError, RefusedError, UsageError
from ..files import StrPath, fsync_folders
from ..progress import Progress, counted, silent
from . import coco, names, safety, shards
from .complete import check_closed, first_damage
from .dataset import shared_id
from .job import Encrypter
from .journal import Journal, check_no_update, opened, read_lines
from .layout import MANIFEST, WORK
from .listing import Listing
from .manifest import Manifest
from .merge import close_copy, outcome_of
from .notes import notes
from .parts import Part, check_part, files_of, index_of
from .pool import ordered
from .results import Outcome, Problem
from .run import Run, check_same_run, describe
from .settings import SHARD_SIZE, Settings, Size
from .sources import scan
from .update import Updating, check_can_update, finish_stopped


def encrypt(
    src: StrPath,
    dst: StrPath,
    *,
    key: MasterKey | StrPath,
    scheme: Scheme,
    size: Size = None,
    fit: str | None = None,
    format: str = 'png',
    shard_size: int = SHARD_SIZE,
    annotations: Sequence[StrPath] = (),
    rename: bool = False,
    name_map: StrPath | None = None,
    keep_class_names: bool = False,
    boxes_frame: str = 'upright',
    dataset_id: str | None = None,
    part: Part = (0, 1),
    resume: bool = False,
    update: bool = False,
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Encrypt the images of a folder to a new folder.

    Args:
        src: the folder of plain images, with or without class folders.
        dst: the folder to write, which must be new or empty.
        key: the master key, or the path of its file.
        scheme: how images are encrypted.
        size: None, (w, h), or an int, the length of the short side: resize images before they are encrypted.
        fit: 'crop', 'resize' or 'pad', see :class:`.settings.Settings`.
        format: 'png', 'webp', 'jpeg', or 'shards' for tar files in WebDataset's layout.
        shard_size: with 'shards': source files per tar file.
        annotations: COCO files, each as ``FILE`` or ``FILE=FOLDER`` with the folder below
            ``src`` that its file names are relative to. Only their images are encrypted.
        rename: replace the names of files and folders by keyed pseudonyms.
        name_map: with ``rename``: the owner's file of pseudonyms. The default
            lies beside the key file.
        keep_class_names: with ``rename``: leave the first folder of each path, the class, readable.
        boxes_frame: what annotations of images with an EXIF orientation refer to: 'upright', the
            image as viewers show it, or 'raw', the pixels as they are stored.
        dataset_id: 32 hex digits that stand for the data set in the derivation of plans, to
            repeat a copy. None draws new ones, so that folders encrypted with one key have
            no plan in common.
        part: (index from 0, number of parts): encrypt one part; :func:`.merge.merge` closes the copy.
        resume: continue a run that was stopped.
        update: bring a finished copy up to date: encrypt what is new or changed in ``src``, and keep
            the rest. Images whose source files are gone stay, and are reported. Continues an
            update that was stopped. Not for tar files, parts or annotations.
        workers: number of processes.
        progress: called after each file.

    Returns:
        What was encrypted, rejected and left out.

    Raises:
        UsageError: wrong arguments, or folders and keys that must not be combined; nothing was changed.
        BusyError: another process writes the same part.
        CopyError: a folder without files, or an unfinished run that is damaged.
        OSError: the disk is full or the like; ``resume`` continues.
    """
    settings = Settings(scheme, size, fit, format, rename, shard_size, dataset_id, keep_class_names, boxes_frame)
    part, workers = check_part(part), checks.whole('workers', workers, 1)
    safety.check_source(src, dst)
    secret = safety.load_key(key)
    names_path = safety.name_map_path(key, name_map) if rename else None
    safety.check_key_place(None if isinstance(key, MasterKey) else key, src, dst)
    safety.check_key_place(names_path, src, dst)
    coco_files = coco.read_all([annotations] if isinstance(annotations, (str, os.PathLike)) else annotations)
    if coco_files and keep_class_names:
        raise UsageError('keep_class_names is for class folders; the categories in COCO files keep their names anyway')
    task = _Task(osp.realpath(src), osp.realpath(dst), secret, settings, coco_files, part, workers)
    if update:
        check_can_update(task.dst, settings, part, coco_files)
    with opened(task.dst, part) as (journal, handle), contextlib.ExitStack() as stack:
        if update:
            finish_stopped(task.dst, secret)
            os.makedirs(osp.join(task.dst, WORK), exist_ok=True)
        settings = replace(settings, dataset_id=shared_id(task.dst, settings.dataset_id))
        task = replace(task, settings=settings)
        listing = stack.enter_context(contextlib.closing(list_source(task.src, settings, secret, coco_files)))
        run = describe(settings, secret, listing, coco_files)
        if update:
            updating = Updating(task.src, task.dst, settings, secret, run, listing)
            if names_path is not None:
                names.NameMap(names_path).add(_pseudonyms(listing))
            return updating.run(workers, handle, progress)
        if osp.exists(osp.join(task.dst, MANIFEST)):
            return replace(_finished_before(task, run, resume, progress), part=part)
        journal.start(run, resume)
        _check_no_links(task.dst)
        unread = _check_finished(task, journal, run, progress)
        if names_path is not None:
            names.NameMap(names_path).add(_pseudonyms(listing))
        _encrypt_part(task, journal, handle, listing, run.classes or [], progress)
        outcome = _outcome(journal, listing, task)
        outcome.part = part
        if part[1] == 1:
            close_copy(task.dst, secret, unread=unread, workers=workers, progress=progress)
            outcome.closed = True
        return outcome


@dataclass(frozen=True)
class _Task:
    """The checked arguments; ``src`` and ``dst`` are real paths."""

    src: str
    dst: str
    key: MasterKey
    settings: Settings
    annotations: list[coco.AnnotationFile]
    part: Part
    workers: int


def list_source(src: str, settings: Settings, key: MasterKey, annotations: Sequence[coco.AnnotationFile]) -> Listing:
    """Return the entry of each file that is to be encrypted or rejected, sorted by its new name.

    Raises:
        CopyError: there is none.
    """
    if annotations:
        found: dict[str, str | None] = {}
        for part in annotations:
            found.update({**dict.fromkeys(part.images), **part.bad})
        listing = Listing(found.items(), settings, key, flat=True)
    else:
        listing = Listing(scan(src), settings, key)
    if not listing:
        listing.close()
        raise CopyError(f'SRC {src!r} contains no file')
    return listing


def _finished_before(task: _Task, run: Run, resume: bool, progress: Progress) -> Outcome:
    """Return the outcome of a copy that is closed already; its files are checked.

    Raises:
        RefusedError: ``resume`` is False, or the copy is of another run.
        CopyError: a file of the copy is missing or damaged.
    """
    dst, manifest = task.dst, Manifest(task.dst)
    new = msgspec.to_builtins(run)
    compared = ('tool', 'parameters', 'key_fingerprint')
    try:
        check_same_run(*({name: of.get(name) for name in compared} for of in (manifest.head, new)))
    except OtherRunError as error:
        raise OtherRunError(f'{dst!r} holds a finished copy: {error}') from None
    if not resume:
        raise RefusedError(f'{dst!r} holds a finished copy; choose a new folder, or add new images with --update')
    if manifest.listing != run.listing:
        before = manifest.counts.images + manifest.counts.rejected
        raise RefusedError(
            f'{dst!r} holds a finished copy of {before} other files than the {run.files} that SRC and the annotation '
            'files name now; choose a new folder'
        )
    check_no_update(dst)
    check_closed(dst, manifest, task.key, task.workers, progress)
    shutil.rmtree(osp.join(dst, WORK), ignore_errors=True)  # of a run that was killed after its last step
    return outcome_of(dst, manifest)


def _check_finished(task: _Task, journal: Journal, run: Run, progress: Progress) -> int:
    """Check the files of a part that was finished by an earlier process, and forget those from a damaged one on.

    Returns:
        The number of source files whose results no check of this process has read.
    """
    if not journal.finished:
        return journal.done
    damage = first_damage(task.dst, journal.path, run, task.part, unread=None, workers=task.workers, progress=progress)
    if damage is not None:
        journal.cut(damage[0])
    return 0


def _check_no_links(dst: str) -> None:
    """Check that no folder below DST is a symbolic link, through which files would be written elsewhere.

    Raises:
        CopyError: naming the link.
    """
    for folder, folders, _ in os.walk(dst):
        for name in folders:
            if osp.islink(osp.join(folder, name)):
                raise CopyError(f'{osp.join(folder, name)!r} is a symbolic link; remove it: DST must not contain any')


def _pseudonyms(listing: Iterable[names.Entry]) -> Iterator[tuple[str, str]]:
    """Yield (new name without folder and extension, source file), and (new name of a folder, its path and '/')."""
    last = ''
    for entry in listing:
        folder, name = osp.split(entry.name)
        yield osp.splitext(name)[0], entry.file
        if folder != last:
            path = ''
            for new, old in zip(folder.split('/'), entry.file.split('/')):
                path += f'{old}/'
                if new != old:
                    yield new, path
        last = folder


def _encrypt_part(
    task: _Task, journal: Journal, handle: int, listing: Listing, classes: list[str], progress: Progress
) -> None:
    """Encrypt what this part has still to do, and record it."""
    tarred = task.settings.format == 'shards'
    unit = task.settings.shard_size if tarred else 1
    count = files_of(len(listing), task.part, unit)
    before = journal.done

    def mine(first: int) -> Iterator[tuple[int, names.Entry]]:
        """Yield the number and the entry of this part's files, from one of them on."""
        for number in range(first, count):
            i = index_of(number, task.part, unit)
            yield i, listing[i]

    scratch = None if tarred else journal.scratch
    args = (task.src, task.dst, task.settings, task.key, scratch, task.annotations)
    with ordered(mine(before), task.workers, Encrypter, args, [handle]) as lines:
        results = counted(lines, progress, count, before)
        if tarred:
            shards.write_shards(journal, results, unit, classes)
        else:
            for line, _ in results:
                journal.add([line])
    if not tarred:
        fsync_folders(journal.dst, (entry.name for _, entry in mine(0) if entry.reason is None))
    journal.finish()


def _outcome(journal: Journal, listing: Listing, task: _Task) -> Outcome:
    """Return what the journal of this part says."""
    out, turned = Outcome(), 0
    dropped = sum((part.dropped for part in task.annotations), Counter[str]())
    for line in read_lines([journal.path]):
        out.images += line.row is not None
        dropped.update(line.dropped or {})
        out.add_odd((row.name, row.reason) for row in line.odd or ())
        turned += line.turned
        if line.reject is not None:
            out.rejects.append(Problem(listing[line.i].file, line.reject.reason))
    out.dropped = {what: count for what, count in sorted(dropped.items()) if count}
    out.notes = notes(task.settings, turned)
    return out
