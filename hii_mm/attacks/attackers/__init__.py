"""All attacks, one file each; the file is named like the attack."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from ...errors import InvalidValueError
from ..base import ATTACKS, Attack

WANTED = ('identity', 'jigsaw', 'context', 'mixup-inverse', 'linkage', 'bag')
HERE = frozenset(module.name.replace('_', '-') for module in pkgutil.iter_modules(__path__))
FIRST = tuple(name for name in WANTED if name in HERE)  # run unless others are asked for


def names() -> list[str]:
    """Return the names of all registered attacks: the default ones first, then ours, then those of others."""
    ours = [module.name for module in pkgutil.iter_modules(__path__)]
    for module in ours:
        importlib.import_module(f'{__name__}.{module}')
    own = [name for name in ATTACKS if ATTACKS[name].__module__.startswith(f'{__name__}.')]
    return [*FIRST, *sorted(set(own) - set(FIRST)), *(name for name in ATTACKS if name not in own)]


def attack_class(name: str) -> type[Attack]:
    """Return the class of an attack.

    Raises:
        InvalidValueError: no attack of that name; the message lists all names.
    """
    known = names()
    if name not in known:
        raise InvalidValueError(f'attack must be one of {", ".join(known)}, got {name!r}')
    return ATTACKS[name]


def make(name: str, **options: Any) -> Attack:
    """Create the attack of a name.

    Args:
        name: as :func:`names` lists it.
        options: arguments of its class.

    Raises:
        InvalidValueError: no attack of that name; the message lists all names.
    """
    return attack_class(name)(**options)
