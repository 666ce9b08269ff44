"""The names of schemes and their parameters, frozen. No NumPy, so that help can list them.

The one table to change when a preset is added. A name with a version never
changes its parameters: configs, manifests and checkpoints of others depend on
it. A name without a version is that of the newest version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .errors import InvalidValueError

# name: what it does, and the arguments of encryption.Scheme
NAMED: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        'paper-rs': (
            'shuffle patches of 16 pixels, as the paper does: hides nothing from a solver',
            dict(patch_size=16),
        ),
        'paper-mi': (
            'average 2 x 2 sub-patches of patches of 16 pixels, as the paper does: close to pixelation',
            dict(patch_size=16, strategy='mixup', grid=2),
        ),
        'light-v1': (
            'remove 2 pixels around each patch of 16 pixels, shuffle the rest, and add noise of 16 levels',
            dict(patch_size=16, gap=2, noise=16),
        ),
        'strong-v1': (
            'remove 2 pixels around each patch of 8 pixels, which leaves a quarter of its pixels, and shuffle the rest',
            dict(patch_size=8, gap=2),
        ),
        'mixed-v1': (
            'average 2 x 2 sub-patches of patches of 16 pixels, remove 1 pixel around each, and shuffle the rest',
            dict(patch_size=16, strategy='both', grid=2, gap=1),
        ),
    }
)
_VERSION = re.compile(r'(.+)-v(\d+)')


def versioned(name: str) -> str:
    """Return the name in the table: of a name without a version that of its newest version.

    Raises:
        InvalidValueError: not a name.

    >>> versioned('light'), versioned('paper-rs')
    ('light-v1', 'paper-rs')
    """
    if name in NAMED:
        return name
    newest = _newest()
    if name not in newest:
        raise InvalidValueError(f'preset must be one of {", ".join(choices())}, got {name!r}')
    return newest[name]


def parameters(name: str) -> dict[str, Any]:
    """Return the arguments of ``Scheme`` of a name, with or without a version.

    Raises:
        InvalidValueError: not a name.
    """
    return dict(NAMED[versioned(name)][1])


def choices() -> tuple[str, ...]:
    """Return every accepted name; a name without a version stands before its newest version."""
    bare = {full: name for name, full in _newest().items()}
    return tuple(name for full in NAMED for name in (bare.get(full), full) if name)


def _newest() -> dict[str, str]:
    """Return ``{name without a version: name of its newest version}``."""
    found: dict[str, tuple[int, str]] = {}
    for name in NAMED:
        match = _VERSION.fullmatch(name)
        if match:
            found[match[1]] = max(found.get(match[1], (0, '')), (int(match[2]), name))
    return {bare: name for bare, (_, name) in found.items()}
