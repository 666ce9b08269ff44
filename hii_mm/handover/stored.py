"""Going through the pictures of a finished copy, file by file or out of its tar files."""

import os
import os.path as osp
import stat

from . import shards
from .manifest import ManifestError
from .pictures import Reject, read_file


def safe_name(name):
    """Is it a path that stays within a folder, and no other spelling of one?"""
    return (
        isinstance(name, str)
        and '\0' not in name
        and not osp.isabs(name)
        and all(part not in ('', '.', '..') for part in name.split('/'))
    )


def pictures(dst, rows, settings, problem):
    """(row, None) for each picture that is a file, (row, bytes) for each out of a tar file.

    Args:
        dst (str): the copy's real path.
        rows: the manifest's.
        settings: its parameters.
        problem: called with (name, what is wrong).

    Raises:
        ManifestError: a name that leads out of DST.
    """
    if settings.format == 'shards':
        yield from _from_shards(dst, rows, problem)
        return
    for row in rows:
        _check(row['name'])
        yield row, None


def _check(name):
    if not safe_name(name):
        raise ManifestError(f'the manifest names {name!r}, which is no path within the copy')


def _from_shards(dst, rows, problem):
    """The rows of one tar file after the other, beside its members."""
    rows, row = iter(rows), None
    row = next(rows, None)
    while row is not None:
        shard = row.get('shard')
        _check(shard)
        _check(row['name'])
        try:
            if not _plain(osp.join(dst, shard)):
                raise shards.ShardError(f'{shard}: not there, or no plain file')
            for name, data in shards.read_members(osp.join(dst, shard)):
                if row is not None and row.get('shard') == shard and name == row['name']:
                    yield row, data
                    row = next(rows, None)
                elif not name.endswith(('.cls', '.json')):
                    problem(f'{shard}/{name}', 'not in the manifest, or not in its order')
        except shards.ShardError as error:
            problem(shard, str(error))
        while row is not None and row.get('shard') == shard:
            problem(f'{shard}/{row["name"]}', 'missing')
            row = next(rows, None)


def _plain(path):
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def row_bytes(dst, row, data):
    """A picture's bytes: those out of a tar file, or its own file's.

    Raises:
        Reject: the file is missing or no plain file.
    """
    if data is not None:
        return data
    if not _plain(osp.join(dst, row['name'])):
        raise Reject('missing' if not osp.lexists(osp.join(dst, row['name'])) else 'no plain file')
    return read_file(dst, row['name'])
