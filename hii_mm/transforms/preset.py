"""The part of a preset that an encrypting transform does."""

from __future__ import annotations

import inspect
from typing import Any

from ..encryption import Scheme
from ..encryption.scheme import preset_step
from ..errors import InvalidValueError


def scheme_of_preset(transform: type, name: str, remainder: str, **given: Any) -> Scheme:
    """Return what a transform does of a preset: PatchMixup its mixing, PatchShuffle its shuffle.

    Args:
        transform: ``PatchMixup`` or ``PatchShuffle``.
        name: of the preset.
        remainder: of the transform.
        given: the arguments that describe a scheme, which stay at their defaults.

    Raises:
        InvalidValueError: not a preset, one without this part, or another argument.
    """
    defaults = inspect.signature(transform).parameters
    other = [f'{key}={value!r}' for key, value in given.items() if value != defaults[key].default]
    if other:
        raise InvalidValueError(
            f'{transform.__name__}: preset {name!r} and {", ".join(other)} both describe the scheme; leave one out'
        )
    return Scheme.from_steps(preset_step(transform.__name__, name, remainder))
