"""Schemes along one parameter at a time, for curves."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ...encryption import MixupParams, Scheme, ShuffleParams
from ...errors import InvalidValueError

ACCEPTED = (
    'gap=A:B, drop=A:B[:STEP], window=A:B, patch=A:B:STEP, noise=A:B:STEP, orient, tone, mixup; '
    'with commas between them'
)
MOST = 50  # values of one parameter
_FIELDS = {'gap': 'gap', 'drop': 'drop_ratio', 'window': 'window', 'patch': 'patch_size', 'noise': 'noise'}

Sweep = dict[str, list[tuple[Any, Scheme]]]


def parse(text: str, scheme: Scheme) -> Sweep:
    """Return schemes that differ from ``scheme`` in one parameter.

    Args:
        text: such as ``'gap=0:4,drop=0:0.75,noise=0:32:16,orient,tone,mixup'``. Both ends are
            included. The step is 1 for whole numbers and 0.25 for ``drop``.
        scheme: to start from; its shuffle is varied.

    Returns:
        ``{parameter: [(value, scheme)]}``.

    Raises:
        InvalidValueError: words or values that are not accepted.
    """
    shuffle = scheme.shuffle
    if shuffle is None:
        raise InvalidValueError('a sweep varies a shuffle: use strategy shuffle or both')
    found: Sweep = {}
    for word in filter(None, (part.strip() for part in text.split(','))):
        name, _, span = word.partition('=')
        if name in ('orient', 'tone', 'mixup') and not span:
            found[name] = [('off', scheme), ('on', _switched(name, scheme, shuffle))]
        elif name in _FIELDS and span:
            values = _span(word, span, float if name == 'drop' else int)
            found[name] = [(value, _with(scheme, shuffle, _FIELDS[name], value)) for value in values]
        else:
            raise InvalidValueError(f'a sweep takes {ACCEPTED}; got {word!r}')
    if not found:
        raise InvalidValueError(f'a sweep takes {ACCEPTED}; got {text!r}')
    return found


def _span(word: str, span: str, kind: type[int] | type[float]) -> list[Any]:
    """Return the values from A to B, both included."""
    try:
        low, high, *more = (kind(part) for part in span.split(':'))
        step = more[0] if more else 0.25 if kind is float else 1
    except ValueError:
        raise InvalidValueError(f'a sweep takes {ACCEPTED}; got {word!r}') from None
    if kind is float and not all(map(math.isfinite, (low, high, step))):
        raise InvalidValueError(f'a sweep takes finite numbers, got {word!r}')
    if step <= 0 or high < low or len(more) > 1:
        raise InvalidValueError(f'a sweep needs A:B[:STEP] with A at most B and a STEP above 0, got {word!r}')
    steps = (high - low) // step if kind is int else (high - low) / step + 1e-9
    if steps >= MOST:
        raise InvalidValueError(f'a sweep takes at most {MOST} values for each parameter, got more in {word!r}')
    return [round(low + k * step, 6) if kind is float else low + k * step for k in range(int(steps) + 1)]


def _with(scheme: Scheme, shuffle: ShuffleParams, field: str, value: Any) -> Scheme:
    """Return the scheme with one field of its shuffle changed."""
    if field == 'patch_size' and scheme.mixup:
        raise InvalidValueError('a sweep of patch varies a shuffle alone: use strategy shuffle')
    changed: dict[str, Any] = {field: value}
    return Scheme.from_steps(*scheme.steps[:-1], replace(shuffle, **changed))


def _switched(name: str, scheme: Scheme, shuffle: ShuffleParams) -> Scheme:
    """Return the scheme with orientation, tone or mixing, where it had none."""
    if name in ('orient', 'tone'):
        return _with(scheme, shuffle, name, True)
    if scheme.mixup:
        raise InvalidValueError('a sweep of mixup compares with and without: use strategy shuffle')
    h, w = shuffle.patch_size
    if h % 2 or w % 2:
        raise InvalidValueError(f'a sweep of mixup halves patches, so patch_size must be even, got {h} x {w}')
    mixup = MixupParams(shuffle.patch_size, 2, shuffle.remainder)
    return Scheme.from_steps(mixup, replace(shuffle, patch_size=(h // 2, w // 2)))
