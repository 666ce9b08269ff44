"""What a trainer's config says of an encrypted copy, against the copy's manifest."""

import os.path as osp

from .manifest import Manifest, ManifestError
from .names import MANIFEST


def copies(cfg, place=''):
    """The encrypted copies that a config reads.

    Args:
        cfg (dict): any part of a config.
        place (str): where it stands.

    Yields:
        tuple: (place, the data set's dict, its :class:`Manifest`'s head).

    Raises:
        ManifestError: a manifest that is not as ``hii-mm encrypt`` writes it.
    """
    if isinstance(cfg, dict):
        root = cfg.get('data_root')
        if isinstance(root, str) and 'pipeline' in cfg and osp.isfile(osp.join(root, MANIFEST)):
            yield place, cfg, Manifest(root.rstrip('/')).head
        for name, value in cfg.items():
            yield from copies(value, f'{place}.{name}' if place else name)
    elif isinstance(cfg, (list, tuple)):
        for i, value in enumerate(cfg):
            yield from copies(value, f'{place}[{i}]')


def misfits(place, head, read, grid, encrypting):
    """What of a copy's parameters does not fit the model, in sentences.

    Args:
        place (str): of the data set in the config.
        head (dict): of the manifest.
        read (tuple[int, int] | None): (h, w) of the patches that the model reads.
        grid (int | None): of the mixing that the model is made for; None for models that read any images.
        encrypting (list[str]): names of the encrypting transforms in the pipeline.
    """
    given = head['parameters']
    made = f'{place}: the copy was made with strategy {given["strategy"]!r}'
    found = [f'{made}, and the pipeline would encrypt it again: leave out {name}' for name in encrypting]
    core = tuple(given['encrypted_patch_size'])
    if read is not None and tuple(read) != core:
        found.append(
            f'{made} and patches of {core[0]} x {core[1]} (h x w) after it, but the backbone reads patches of '
            f'{read[0]} x {read[1]}'
        )
    if grid is not None and given.get('grid') != grid:
        found.append(f'{made} and grid {given.get("grid")}, but the model reads images mixed with grid {grid}')
    if grid is not None and given['strategy'] == 'both':
        found.append(f'{made}: its patches are shuffled, and the model adds a position to each')
    return found


__all__ = ['ManifestError', 'copies', 'misfits']
