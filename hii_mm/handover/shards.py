"""Tar files in WebDataset's layout: the files of one sample follow each other and share a name up to the dot."""

import contextlib
import hashlib
import io
import json
import os
import os.path as osp
import tarfile

from .files import sha256_file


def shard_name(number):
    """The name of a tar file."""
    return f'shard-{number:06d}.tar'


def class_names(entries):
    """The first folder of each picture that may be handed over, sorted: the classes."""
    return sorted({e.name.split('/', 1)[0] for e in entries if e.reason is None and '/' in e.name})


def write_shard(path, samples, scratch):
    """Write a tar file whole or not at all; the same bytes for the same samples.

    Args:
        path (str): where.
        samples: ``[[(member name, bytes), ...], ...]``; any iterable.
        scratch (str): folder for the unfinished file.

    Returns:
        dict: name, sha256 and bytes, for the journal; None, and no file,
        without samples.
    """
    partial, count = osp.join(scratch, 'shard.part'), 0
    with open(partial, 'wb') as file:
        with tarfile.open(fileobj=file, mode='w', format=tarfile.PAX_FORMAT) as tar:
            for name, data in (member for sample in samples for member in sample):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
                count += 1
        file.flush()
        os.fsync(file.fileno())
    if not count:
        os.unlink(partial)
        return None
    digest, size = sha256_file(partial)
    os.replace(partial, path)
    return {'name': osp.basename(path), 'sha256': digest, 'bytes': size}


def sample(line, data, classes):
    """The members of one sample: the picture, and its class number or its moved annotations."""
    name = line['row']['name']
    stem, members = osp.splitext(name)[0], [(name, data)]
    if 'annotations' in line:
        members.append((f'{stem}.json', json.dumps([part[1:] for part in line['annotations']]).encode()))
    elif '/' in name:
        members.append((f'{stem}.cls', str(classes.index(name.split('/', 1)[0])).encode()))
    return members


class ShardError(ValueError):
    """A tar file that cannot be read."""


def read_members(path):
    """(name, bytes) of each member of a tar file, in order.

    Raises:
        ShardError: damaged, or a member that is no plain file.
    """
    with contextlib.ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(path, 'r:'))
            for info in tar:
                if not info.isreg():
                    raise ShardError(f'{info.name!r} is no plain file')
                yield info.name, tar.extractfile(info).read()
        except (OSError, tarfile.TarError, EOFError, ValueError) as error:
            raise ShardError(f'{osp.basename(path)}: {error}') from None


def digest(data):
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()
