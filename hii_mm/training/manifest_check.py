"""Compare encrypted copies that a config reads with the model that reads them."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..encryption import Scheme
from ..handover.layout import MANIFEST, copy_around
from ..handover.manifest import Manifest
from ..models.reading import Reading


class Copy(NamedTuple):
    """An encrypted copy that a data set reads.

    Attributes:
        place: of the data set in the config, such as 'train_dataloader.dataset'.
        scheme: of the copy.
        root: folder of the copy.
    """

    place: str
    scheme: Scheme
    root: str


def copies(cfg: Any, place: str = '') -> Iterator[Copy]:
    """Yield the encrypted copies that a config reads: each ``data_root`` with a manifest.

    Args:
        cfg: any part of a config, as dicts and lists.
        place: where it stands.

    Raises:
        ManifestError: a damaged manifest.
    """
    if isinstance(cfg, dict):
        root = cfg.get('data_root')
        scheme = scheme_of_copy(root) if 'pipeline' in cfg else None
        if scheme is not None:
            yield Copy(place, scheme, root)
        for name, value in cfg.items():
            yield from copies(value, f'{place}.{name}' if place else name)
    elif isinstance(cfg, (list, tuple)):
        for i, value in enumerate(cfg):
            yield from copies(value, f'{place}[{i}]')


def scheme_of_copy(root: Any) -> Scheme | None:
    """Return the scheme of the encrypted copy that a folder is or lies in, None for anything else.

    Raises:
        ManifestError: a damaged manifest, or a copy that is not finished.
    """
    if not isinstance(root, str) or not osp.isdir(root):
        return None
    own = osp.isfile(osp.join(root, MANIFEST))  # also a damaged one
    copy = root.rstrip('/') if own else copy_around(root)
    return None if copy is None else Scheme.from_manifest(Manifest(copy))


def misfits(copy: Copy, reads: Reading, encrypting: Sequence[str] = ()) -> list[str]:
    """Return one sentence for each thing about a copy that does not fit the model.

    Args:
        copy: that a data set reads.
        reads: what the model reads.
        encrypting: names of the encrypting transforms in the data set's pipeline.
    """
    scheme = copy.scheme
    made = f'{copy.place}: the copy was made with strategy {scheme.strategy!r}'
    found = [f'{made}, and {name} in the pipeline would encrypt it again: remove {name}' for name in encrypting]
    (h, w), read = scheme.core_size, reads.patch_size
    if read is not None and tuple(read) != (h, w):
        found.append(
            f'{made} and encrypted patches of {h} x {w} (h x w), but the backbone reads patches of '
            f'{read[0]} x {read[1]}'
        )
    grid = scheme.mixup.grid if scheme.mixup else None
    if reads.mix_grid is not None and grid != reads.mix_grid:
        found.append(f'{made} and grid {grid}, but the model reads images mixed with grid {reads.mix_grid}')
    return found
