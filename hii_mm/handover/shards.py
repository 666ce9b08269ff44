"""Tar files in WebDataset's layout: the files of a sample are adjacent and share their name up to the dot."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import os.path as osp
import tarfile
from collections.abc import Iterable, Iterator

import msgspec

from ..errors import CopyError
from ..files import sha256_file
from .journal import Journal
from .rows import FileRow, Line

Sample = list[tuple[str, bytes]]


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
    return FileRow(osp.basename(path), digest, size)


def read_members(path: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each member of a tar file, in order.

    Raises:
        CopyError: damaged, or a member that is not a regular file.
    """
    with contextlib.ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(path, 'r:'))
            for info in tar:
                content = tar.extractfile(info) if info.isreg() else None
                if content is None:
                    raise CopyError(f'{osp.basename(path)}: {info.name!r} is not a regular file')
                yield info.name, content.read()
        except (OSError, tarfile.TarError, EOFError, ValueError) as error:
            raise CopyError(f'{osp.basename(path)}: {error}') from None
