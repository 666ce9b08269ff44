"""Parts of a data set, each encrypted by one process: (index from 0, number of parts)."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import UsageError

Part = tuple[int, int]


def check_part(part: Part) -> Part:
    """Return a part if it is one.

    Raises:
        UsageError: not (index, number) with 0 <= index < number.
    """
    if not (isinstance(part, tuple) and len(part) == 2 and all(type(n) is int for n in part)):
        raise UsageError(f'part must be (index, number of parts), got {part!r}')
    if not 0 <= part[0] < part[1]:
        raise UsageError(f'part must be (index, number of parts) with 0 <= index < number, got {part!r}')
    return part


def index_of(count: int, part: Part, unit: int) -> int:
    """Return the number in the listing of a part's file number ``count``; units go round the parts in turn.

    Args:
        count: from 0.
        part: (index, number of parts).
        unit: files that stay together: those of one tar file, or 1.
    """
    rank, world = part
    return (count // unit * world + rank) * unit + count % unit


def files_of(files: int, part: Part, unit: int) -> int:
    """Return how many of a number of files belong to a part; see :func:`index_of`."""
    rank, world = part
    whole, rest = divmod(files, unit * world)
    return whole * unit + min(max(rest - rank * unit, 0), unit)


def part_of(environ: Mapping[str, str]) -> Part:
    """Return the part that torchrun, Slurm or a Slurm array assigned to this process; (0, 1) without them.

    Args:
        environ: the environment variables.

    Raises:
        UsageError: the variables do not name a part.
    """
    pairs = (
        ('RANK', 'WORLD_SIZE', '0'),
        ('SLURM_ARRAY_TASK_ID', 'SLURM_ARRAY_TASK_COUNT', environ.get('SLURM_ARRAY_TASK_MIN', '0')),
        ('SLURM_PROCID', 'SLURM_NTASKS', '0'),
    )
    for rank, world, first in pairs:
        if rank in environ and world in environ:
            try:
                return check_part((int(environ[rank]) - int(first), int(environ[world])))
            except ValueError:
                raise UsageError(
                    f'{rank}={environ[rank]} and {world}={environ[world]} do not name a part; pass --shard I/N'
                ) from None
    return 0, 1
