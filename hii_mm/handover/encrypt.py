"""``hii-mm encrypt``: a folder or COCO data set becomes an encrypted copy."""

import itertools
import json
import os
import os.path as osp
import platform
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from importlib import metadata

from .. import __version__
from ..encryption.keyed import PLAN_VERSION
from . import coco, names, shards
from .files import fsync_folder, sha256_file
from .finish import finish
from .journal import Refused, opened, same_run
from .picture_job import Job
from .pool import ordered


@dataclass
class Request:
    """What one call of ``hii-mm encrypt`` is asked for.

    Args:
        src, dst (str): folders.
        key: the :class:`MasterKey`.
        settings: the :class:`Settings`.
        annotations (list[str]): ``FILE`` or ``FILE=FOLDER``.
        name_map (str): the owner's file of pseudonyms, with ``settings.rename``.
        rank, world (int): which part of how many.
        resume (bool): go on.
        workers (int): processes.
        progress: called with an iterable, the count and the count done before; gives the iterable.
    """

    src: str
    dst: str
    key: object
    settings: object
    annotations: list = field(default_factory=list)
    name_map: object = None
    rank: int = 0
    world: int = 1
    resume: bool = False
    workers: int = 1
    progress: object = None


@dataclass
class Outcome:
    """What became of it.

    Attributes:
        images (int): pictures of this part that were handed over.
        rejects (list): (path below SRC, why).
        dropped (Counter): what of the annotations was left out.
        closed (bool): the manifest is written; False if other parts are to come.
    """

    images: int = 0
    rejects: list = field(default_factory=list)
    dropped: Counter = field(default_factory=Counter)
    closed: bool = False


def encrypt(request):
    """Do one part, and close DST if it is the only one.

    Raises:
        Refused: nothing was changed.
        OSError: the disk is full or the like; ``resume`` goes on.
    """
    src, dst = osp.realpath(request.src), osp.realpath(request.dst)
    if not osp.isdir(src):
        raise Refused(f'SRC {request.src!r} is no folder')
    if names.copy_around(src):
        raise Refused(f'SRC {request.src!r} is (in) a copy that hii-mm encrypt wrote; encrypt what it was made from')
    if osp.commonpath([src, dst]) in (src, dst):
        raise Refused(f'SRC {request.src!r} and DST {request.dst!r} must not lie in each other')
    annotations = _annotations(request.annotations)
    with opened(dst, request.rank, request.world) as (journal, handle):
        listing = list_source(src, request.settings, request.key, annotations)
        if not listing:
            raise Refused(f'SRC {request.src!r} holds no file', code=1)
        run = describe(request, listing, annotations)
        if osp.exists(osp.join(dst, names.MANIFEST)):
            return _finished_before(request, dst, run)
        journal.start(run, request.resume)
        _unlinked(dst)
        if request.settings.format == 'shards':
            journal.cut(request.settings.shard_size)
        if request.settings.rename:
            _save_names(request, listing)
        _encrypt_part(request, src, journal, handle, listing, annotations, run)
        outcome = _outcome(journal, listing, annotations)
        if request.world == 1:
            finish(dst, request.key)
            outcome.closed = True
        return outcome


def _annotations(arguments):
    """The annotation files.

    Raises:
        Refused: one is no COCO json, or two have one name.
    """
    try:
        found = [coco.read(argument) for argument in arguments]
    except ValueError as error:
        raise Refused(str(error)) from None
    twice = [name for name, count in Counter(part.name for part in found).items() if count > 1]
    if twice:
        raise Refused(f'two --ann files would both become {twice[0]!r}; give them different names')
    return found


def list_source(src, settings, key, annotations):
    """``[Entry]`` of every file that is to be handed over, or rejected, by its new name."""
    if not annotations:
        return names.entries(names.scan(src), settings, key)
    found, prefix = {}, {}
    for part in annotations:
        found.update(dict.fromkeys(part.images), **part.bad)
        prefix.update(dict.fromkeys(part.images, part.prefix), **dict.fromkeys(part.bad, ''))
    return names.entries(sorted(found.items()), settings, key, flatten=prefix)


def describe(request, listing, annotations):
    """What decides the output: the head of the journals, and most of it of the manifest."""
    packages = {name: metadata.version(name) for name in ('numpy', 'pillow', 'cryptography')}
    run = {
        'tool': {'hii_mm': __version__, 'python': platform.python_version(), **packages},
        'plan_version': PLAN_VERSION,
        'key_fingerprint': request.key.fingerprint,
        'parameters': request.settings.to_json(),
        'annotations': [{'name': part.name, 'categories': part.categories} for part in annotations],
        'files': len(listing),
        'listing': _listing_sum(request, listing),
    }
    if request.settings.format == 'shards' and not annotations:
        run['classes'] = shards.class_names(listing)
    return run


def _listing_sum(request, listing):
    """A keyed sum of everything that is read, so that parts of different sources do not mix."""
    import hashlib

    digest = hashlib.sha256()
    for entry in listing:
        digest.update(repr(tuple(entry)).encode())
    for argument in request.annotations:
        path, folder = coco.split(argument)
        digest.update(sha256_file(path)[0].encode() + folder.encode())
    return request.key.derive('hii-mm listing v1', digest.digest(), length=8).hex()


def _finished_before(request, dst, run):
    """The outcome where DST is closed already.

    Raises:
        Refused: it is, and this run is another or was not told to go on.
    """
    from .manifest import Manifest

    head = Manifest(dst).head
    try:
        same_run(*({name: of.get(name) for name in ('tool', 'parameters', 'key_fingerprint')} for of in (head, run)))
    except Refused as error:
        raise Refused(f'{request.dst!r} holds a finished copy: {error}') from None
    if not request.resume:
        raise Refused(f'{request.dst!r} holds a finished copy; give a new folder')
    if head.get('listing') != run['listing']:
        was = head['counts']['images'] + head['counts']['rejected']
        raise Refused(
            f'{request.dst!r} holds a finished copy of {was} other files than the {run["files"]} that SRC and --ann '
            'give now; give a new folder'
        )
    shutil.rmtree(osp.join(dst, names.WORK), ignore_errors=True)  # of a run that was killed right at its end
    rejects, path = [], osp.join(dst, names.REJECTS)
    if head['counts']['rejected'] and osp.isfile(path):
        with open(path, encoding='utf-8') as file:
            rejects = [(row['name'], row['reason']) for row in map(json.loads, file)]
    return Outcome(images=head['counts']['images'], rejects=rejects, closed=True)


def _unlinked(dst):
    """Raise if there is a symbolic link below DST: something could be written through it.

    Raises:
        Refused: naming it.
    """
    for folder, folders, _ in os.walk(dst):
        for name in folders:
            if osp.islink(osp.join(folder, name)):
                raise Refused(f'{osp.join(folder, name)!r} is a symbolic link; DST must hold none', code=1)


def _save_names(request, listing):
    """Keep the map of pseudonyms beside the key."""
    stem = {entry.file: osp.splitext(osp.basename(entry.name))[0] for entry in listing}
    names.NameMap(request.name_map).add({stem[file]: file for file in stem})


def _encrypt_part(request, src, journal, handle, listing, annotations, run):
    """Encrypt what this part has still to do, and write it down."""
    unit = request.settings.shard_size if request.settings.format == 'shards' else 1
    mine = [i for i in range(len(listing)) if i // unit % request.world == request.rank]
    before = journal.done
    scratch = None if request.settings.format == 'shards' else journal.scratch
    args = (src, journal.dst, request.settings, request.key, scratch, annotations)
    todo = ((i, listing[i]) for i in mine[before:])
    results = ordered(todo, request.workers, Job, args, handles=[handle])
    if request.progress:
        results = request.progress(results, len(mine), before)
    if unit == 1:
        for line, _ in results:
            journal.add(line)
    else:
        _write_shards(journal, results, unit, run.get('classes', []))
    for folder in {osp.dirname(osp.join(journal.dst, listing[i].name)) for i in mine if listing[i].reason is None}:
        if osp.isdir(folder):
            fsync_folder(folder)
    journal.finish()


def _write_shards(journal, results, unit, classes):
    """Write results into tar files of ``unit`` files of SRC each, one picture in memory at a time."""
    for number, group in itertools.groupby(results, key=lambda result: result[0]['i'] // unit):
        name, lines = shards.shard_name(number), []
        samples = _samples(group, name, lines, classes)
        about = shards.write_shard(osp.join(journal.dst, name), samples, journal.scratch)
        journal.add(*([{'shard': about, 'i': lines[0]['i']}] if about else []), *lines)


def _samples(results, name, lines, classes):
    """The samples of one tar file; the journal's lines go to ``lines``."""
    for line, data in results:
        lines.append(line)
        if data is not None:
            line['row']['shard'] = name
            yield shards.sample(line, data, classes)


def _outcome(journal, listing, annotations):
    """What the journal of this part says."""
    from .journal import entries

    out = Outcome(dropped=sum((part.dropped for part in annotations), Counter()))
    for entry in entries([journal.path]):
        out.images += 'row' in entry
        out.dropped.update(entry.get('dropped', {}))
        if 'reject' in entry:
            out.rejects.append((listing[entry['i']].file, entry['reject']['reason']))
    return out


def cpu_count():
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count()
