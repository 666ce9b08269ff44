"""The last step of a run: rejects, annotations and the manifest, out of the journals."""

import json
import os
import os.path as osp
import shutil

from . import journal
from .files import Busy, locked, sha256_file, write_atomically
from .manifest import Manifest, lines
from .names import MANIFEST, REJECTS, WORK


def finish(dst, key):
    """Close a DST of which every part is done; needs no pictures and little memory.

    Args:
        dst (str): the folder.
        key: the :class:`MasterKey`.

    Returns:
        dict: the manifest's counts.

    Raises:
        Refused: parts are missing or unfinished, or are of different runs or of another key.
    """
    if osp.isfile(osp.join(dst, MANIFEST)):
        return _closed_before(dst, key)
    if not journal.parts(dst):
        raise journal.Refused(f'{dst!r} holds no parts of a run to close')
    try:
        with locked(osp.join(dst, WORK, 'merge.lock')):
            return _close(dst, key)
    except Busy:
        raise journal.Refused(f'{dst!r} is being closed by another process right now', code=1) from None


def _closed_before(dst, key):
    """The counts of a copy that is closed; what a kill right after that left behind is removed.

    Raises:
        Refused: it was made with another key.
        ManifestError: its sums are wrong.
    """
    manifest = Manifest(dst)
    if manifest.head['key_fingerprint'] != key.fingerprint:
        raise journal.Refused(
            f'{dst!r} was encrypted with the key {manifest.head["key_fingerprint"]}, and this one is {key.fingerprint}'
        )
    for _ in manifest.rows(key):
        pass
    shutil.rmtree(osp.join(dst, WORK), ignore_errors=True)
    return manifest.head['counts']


def _close(dst, key):
    paths = journal.parts(dst)
    run = _check(dst, paths, key)
    counts, files = {'images': 0, 'rejected': 0}, []
    for entry in journal.entries(paths):
        counts['images'] += 'row' in entry
        counts['rejected'] += 'reject' in entry
        if 'shard' in entry:
            files.append(entry['shard'])
    if counts['rejected']:
        rejects = (entry['reject'] for entry in journal.entries(paths) if 'reject' in entry)
        files.append(_write(dst, REJECTS, ((json.dumps(row) + '\n').encode() for row in rejects)))
    annotations = run.pop('annotations')
    for number, about in enumerate(annotations):
        files.append(_write(dst, about['name'], _coco(paths, number, about['categories'])))
    del run['files']
    head = {**run, 'counts': counts, 'files': sorted(files, key=lambda row: row['name'])}
    rows = (entry['row'] for entry in journal.entries(paths) if 'row' in entry)
    write_atomically(osp.join(dst, MANIFEST), lines(head, rows, key), osp.join(dst, WORK))
    shutil.rmtree(osp.join(dst, WORK))
    return counts


def _check(dst, paths, key):
    """What the parts' run does.

    Raises:
        Refused: see :func:`finish`.
    """
    world = int(paths[0][: -len('.jsonl')].rpartition('-')[2])
    runs = [journal.read_run(path) for path in paths]
    for path, run in zip(paths, runs):
        journal.same_run(runs[0], run)
        if not path.endswith(f'-of-{world:05d}.jsonl'):
            raise journal.Refused(f'{dst!r} holds parts of two runs: {osp.basename(paths[0])}, {osp.basename(path)}')
    there = {int(osp.basename(path).split('-')[1]) for path in paths if _is_finished(path)}
    missing = sorted(set(range(world)) - there)
    if missing:
        raise journal.Refused(f'{dst!r}: of {world} parts these are not done: {", ".join(map(str, missing))}', code=1)
    if runs[0]['key_fingerprint'] != key.fingerprint:
        raise journal.Refused(
            f'{dst!r} was encrypted with the key {runs[0]["key_fingerprint"]}, and this one is {key.fingerprint}'
        )
    return runs[0]


def _is_finished(path):
    with open(path, 'rb') as file:
        file.seek(max(0, os.path.getsize(path) - 64))
        return file.read().endswith(b'{"finished": true}\n')


def _write(dst, name, content):
    """Write a file below DST; gives its row for the manifest."""
    path = osp.join(dst, name)
    os.makedirs(osp.dirname(path), exist_ok=True)
    write_atomically(path, content, osp.join(dst, WORK))
    digest, size = sha256_file(path)
    return {'name': name, 'sha256': digest, 'bytes': size}


def _coco(paths, number, categories):
    """The bytes of one moved COCO json file; annotations without an id get 1, 2, 3, ..."""

    def moved():
        for entry in journal.entries(paths):
            for index, image, rows in entry.get('annotations', ()):
                if index == number:
                    yield image, rows

    yield b'{"images": ['
    yield from _joined(image for image, _ in moved())
    yield b'],\n"annotations": ['
    rows = (row for _, rows in moved() for row in rows)
    yield from _joined({'id': count, **row} for count, row in enumerate(rows, 1))
    yield b'],\n"categories": ' + json.dumps(categories).encode() + b'}\n'


def _joined(rows):
    separator = b'\n'
    for row in rows:
        yield separator + json.dumps(row).encode()
        separator = b',\n'
