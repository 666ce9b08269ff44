"""Write an encrypted copy of an image folder or a COCO data set."""

from __future__ import annotations

import os
import os.path as osp
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from ..encryption import MasterKey, Scheme, checks
from ..errors import CopyError, RefusedError
from ..files import StrPath, fsync_folder
from ..progress import Progress, counted, silent
from . import coco, names, safety, shards
from .job import Encrypter
from .journal import Journal, opened, read_lines
from .layout import MANIFEST, WORK
from .manifest import Manifest
from .merge import close_copy, outcome_of
from .parts import Part, check_part
from .pool import ordered
from .results import Outcome, Problem
from .run import Run, check_same_run, describe
from .settings import SHARD_SIZE, Settings, Size


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
    part: Part = (0, 1),
    resume: bool = False,
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
        rename: replace file names by keyed pseudonyms.
        name_map: with ``rename``: the owner's file of pseudonyms. The default
            lies beside the key file.
        part: (index from 0, number of parts): encrypt one part; :func:`.merge.merge` closes the copy.
        resume: continue a run that was stopped.
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
    settings = Settings(scheme, size, fit, format, rename, shard_size)
    part, workers = check_part(part), checks.whole('workers', workers, 1)
    safety.check_source(src, dst)
    secret = safety.load_key(key)
    names_path = safety.name_map_path(key, name_map) if rename else None
    safety.check_key_place(None if isinstance(key, MasterKey) else key, src, dst)
    safety.check_key_place(names_path, src, dst)
    coco_files = coco.read_all([annotations] if isinstance(annotations, (str, os.PathLike)) else annotations)
    task = _Task(osp.realpath(src), osp.realpath(dst), secret, settings, coco_files, part, workers)
    with opened(task.dst, part) as (journal, handle):
        listing = _list_source(task)
        run = describe(settings, secret, listing, coco_files)
        if osp.exists(osp.join(task.dst, MANIFEST)):
            return replace(_finished_before(task.dst, run, resume), part=part)
        journal.start(run, resume)
        _check_no_links(task.dst)
        if settings.format == 'shards':
            journal.cut(shard_size)
        if names_path is not None:
            names.NameMap(names_path).add(_pseudonyms(listing))
        _encrypt_part(task, journal, handle, listing, run.classes or [], progress)
        outcome = _outcome(journal, listing, coco_files)
        outcome.part = part
        if part[1] == 1:
            close_copy(task.dst, secret)
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


def _list_source(task: _Task) -> list[names.Entry]:
    """Return the entry of each file that is to be encrypted or rejected, sorted by its new name.

    Raises:
        CopyError: there is none.
    """
    if task.annotations:
        found: dict[str, str | None] = {}
        prefix: dict[str, str] = {}
        for part in task.annotations:
            found.update({**dict.fromkeys(part.images), **part.bad})
            prefix.update({**dict.fromkeys(part.images, part.prefix), **dict.fromkeys(part.bad, '')})
        listing = names.entries(sorted(found.items()), task.settings, task.key, flatten=prefix)
    else:
        listing = names.entries(names.scan(task.src), task.settings, task.key)
    if not listing:
        raise CopyError(f'SRC {task.src!r} contains no file')
    return listing


def _finished_before(dst: str, run: Run, resume: bool) -> Outcome:
    """Return the outcome of a copy that is closed already.

    Raises:
        RefusedError: ``resume`` is False, or the copy is of another run.
    """
    manifest = Manifest(dst)
    new = msgspec.to_builtins(run)
    compared = ('tool', 'parameters', 'key_fingerprint')
    try:
        check_same_run(*({name: of.get(name) for name in compared} for of in (manifest.head, new)))
    except RefusedError as error:
        raise RefusedError(f'{dst!r} holds a finished copy: {error}') from None
    if not resume:
        raise RefusedError(f'{dst!r} holds a finished copy; choose a new folder')
    if manifest.listing != run.listing:
        before = manifest.counts.images + manifest.counts.rejected
        raise RefusedError(
            f'{dst!r} holds a finished copy of {before} other files than the {run.files} that SRC and the annotation '
            'files name now; choose a new folder'
        )
    shutil.rmtree(osp.join(dst, WORK), ignore_errors=True)  # of a run that was killed after its last step
    return outcome_of(dst, manifest)


def _check_no_links(dst: str) -> None:
    """Check that no folder below DST is a symbolic link, through which files would be written elsewhere.

    Raises:
        CopyError: naming the link.
    """
    for folder, folders, _ in os.walk(dst):
        for name in folders:
            if osp.islink(osp.join(folder, name)):
                raise CopyError(f'{osp.join(folder, name)!r} is a symbolic link; remove it: DST must not contain any')


def _pseudonyms(listing: Iterable[names.Entry]) -> dict[str, str]:
    """Return {new name without folder and extension: source file}."""
    return {osp.splitext(osp.basename(entry.name))[0]: entry.file for entry in listing}


def _encrypt_part(
    task: _Task, journal: Journal, handle: int, listing: list[names.Entry], classes: list[str], progress: Progress
) -> None:
    """Encrypt what this part has still to do, and record it."""
    tarred = task.settings.format == 'shards'
    unit = task.settings.shard_size if tarred else 1
    rank, world = task.part
    mine = [i for i in range(len(listing)) if i // unit % world == rank]
    before = journal.done
    scratch = None if tarred else journal.scratch
    args = (task.src, task.dst, task.settings, task.key, scratch, task.annotations)
    todo = ((i, listing[i]) for i in mine[before:])
    results = counted(ordered(todo, task.workers, Encrypter, args, [handle]), progress, len(mine), before)
    if tarred:
        shards.write_shards(journal, results, unit, classes)
    else:
        for line, _ in results:
            journal.add([line])
    for folder in {osp.dirname(osp.join(journal.dst, listing[i].name)) for i in mine if listing[i].reason is None}:
        if osp.isdir(folder):
            fsync_folder(folder)
    journal.finish()


def _outcome(journal: Journal, listing: list[names.Entry], annotations: Iterable[coco.AnnotationFile]) -> Outcome:
    """Return what the journal of this part says."""
    out = Outcome()
    dropped = sum((part.dropped for part in annotations), Counter[str]())
    for line in read_lines([journal.path]):
        out.images += line.row is not None
        dropped.update(line.dropped or {})
        if line.reject is not None:
            out.rejects.append(Problem(listing[line.i].file, line.reject.reason))
    out.dropped = {what: count for what, count in sorted(dropped.items()) if count}
    return out
