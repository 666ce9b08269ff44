"""Tar files in WebDataset's layout: the files of a sample are adjacent and share their name up to the dot."""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import os.path as osp
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import msgspec

from ..errors import CopyError
from ..files import fsync_folder, naming, open_regular, sha256_file
from .journal import Journal
from .rows import FileRow, Line

Sample = list[tuple[str, bytes]]
MAX_HEADER = 1 << 16  # bytes of an extended header, which holds a path


def write_shards(journal: Journal, results: Iterable[tuple[Line, bytes | None]], unit: int, classes: list[str]) -> None:
    """Write encrypted images to tar files, with one image in memory at a time.

    Args:
        journal: records each tar file and its images.
        results: the line of each source file, and the content of its image.
        unit: source files per tar file.
        classes: names of the class folders.
    """
    for number, group in itertools.groupby(results, key=lambda result: result[0].i // unit):
        name, lines = f'shard-{number:06d}.tar', list[Line]()
        samples = _samples(group, name, lines, classes)
        written = _write_shard(osp.join(journal.dst, name), samples, journal.scratch)
        journal.add([Line(shard=written, i=lines[0].i), *lines] if written else lines)


def _samples(
    results: Iterable[tuple[Line, bytes | None]], name: str, lines: list[Line], classes: list[str]
) -> Iterator[Sample]:
    """Yield the samples of one tar file; appends the lines for the journal to ``lines``."""
    for line, data in results:
        lines.append(line)
        if data is not None and line.row is not None:
            line.row.shard = name
            yield _sample(line, line.row.name, data, classes)


def _sample(line: Line, name: str, data: bytes, classes: list[str]) -> Sample:
    """Return a sample: the image, and its class number or its encrypted annotations."""
    stem = osp.splitext(name)[0]
    members = [(name, data)]
    if line.annotations is not None:
        moved = [msgspec.to_builtins(part)[1:] for part in line.annotations]
        members.append((f'{stem}.json', json.dumps(moved).encode()))
    elif '/' in name:
        members.append((f'{stem}.cls', str(classes.index(name.split('/', 1)[0])).encode()))
    return members


def _write_shard(path: str, samples: Iterable[Sample], scratch: str) -> FileRow | None:
    """Write a tar file atomically; the same samples give the same bytes.

    Args:
        path: the file.
        samples: lists of (name, content).
        scratch: folder for the unfinished file.

    Returns:
        The row of the file, or None, and no file, where there are no samples.
    """
    partial, count = osp.join(scratch, 'shard.part'), 0
    with naming(path), open(partial, 'wb') as file:
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
    fsync_folder(osp.dirname(path))
    return FileRow(osp.basename(path), digest, size)


Member = tuple[str, int, Callable[[], bytes]]


def read_members(path: str) -> Iterator[Member]:
    """Yield (name, size in bytes, function that reads the content) of each member of a tar file, in order.

    Only what :func:`write_shards` writes is accepted. Nothing is read before
    the function is called, and no header of more than 64 KiB: the file may
    come from somebody who wants to exhaust the memory.

    Raises:
        CopyError: damaged, or a member that is not a plain regular file.
        OSError: the file cannot be read.
    """
    with naming(path), open_regular(path) as file:
        total = os.fstat(file.fileno()).st_size
        while (info := _next_header(file, osp.basename(path))) is not None:
            start = file.tell()
            if info.size > total - start:
                raise CopyError(f'{osp.basename(path)}: truncated within {info.name!r}')
            yield info.name, info.size, functools.partial(_read_at, file, start, info.size)
            file.seek(start + _blocks(info.size))


def _read_at(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    with naming(file.name):
        return file.read(size)


def _blocks(size: int) -> int:
    """Return a size rounded up to whole blocks."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _next_header(file: BinaryIO, shard: str) -> tarfile.TarInfo | None:
    """Return the next header, with the path that an extended header before it gives; None at the end.

    Raises:
        CopyError: damaged, or of another kind.
    """
    path, info = None, _header(file, shard)
    if info is not None and info.type == tarfile.XHDTYPE:
        if info.size > MAX_HEADER:
            raise CopyError(f'{shard}: an extended header of {info.size} bytes')
        path = _path_of(file.read(_blocks(info.size))[: info.size], shard)
        info = _header(file, shard)
        if info is None:
            raise CopyError(f'{shard}: truncated behind an extended header')
    if info is None:
        return None
    info.name = path or info.name
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.size < 0:
        raise CopyError(f'{shard}: {info.name!r} is not a regular file')
    return info


def _header(file: BinaryIO, shard: str) -> tarfile.TarInfo | None:
    block = file.read(tarfile.BLOCKSIZE)
    if block == bytes(tarfile.BLOCKSIZE):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, 'utf-8', 'surrogateescape')
    except (tarfile.HeaderError, ValueError) as error:
        raise CopyError(f'{shard}: {error}') from None


def _path_of(text: bytes, shard: str) -> str:
    """Return the path of a pax header: records of "LENGTH path=NAME", each with its length and a line break.

    Raises:
        CopyError: another record, such as those of sparse files.
    """
    found = re.fullmatch(rb'([0-9]{1,6}) path=([^\0\n]+)\n', text)
    if found is None or int(found[1]) != len(text):
        raise CopyError(f'{shard}: an extended header that holds more than a path')
    return found[2].decode('utf-8', 'surrogateescape')
