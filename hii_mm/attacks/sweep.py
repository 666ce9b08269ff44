"""Settings along one parameter at a time, for the curves of ``--sweep``."""

import math
from dataclasses import replace

from ..encryption import MixupParams, ShuffleParams

ACCEPTED = 'gap=A:B, drop=A:B[:STEP], window=A:B, patch=A:B:STEP, orient, mixup; with commas between them'
MOST = 50  # values of one parameter


def parse(text, steps):
    """``{parameter: [(value, steps)]}`` of settings that differ from ``steps`` in that parameter only.

    Args:
        text: as in ``'gap=0:4,drop=0:0.75,orient,mixup'``. Both ends count.
            The step is 1 for whole numbers and 0.25 for ``drop``.
        steps: the setting to start from; its shuffle is what is varied.

    Raises:
        ValueError: words that are not accepted, or a value that is not.
    """
    shuffle = next((step for step in steps if isinstance(step, ShuffleParams)), None)
    if shuffle is None:
        raise ValueError('a sweep varies a shuffle: use --strategy shuffle or both')
    found = {}
    for word in filter(None, (part.strip() for part in text.split(','))):
        name, _, span = word.partition('=')
        if name in ('orient', 'mixup') and not span:
            found[name] = [('off', steps), ('on', _switched(name, steps, shuffle))]
        elif name in ('gap', 'drop', 'window', 'patch') and span:
            field = {'drop': 'drop_ratio', 'patch': 'patch_size'}.get(name, name)
            values = _span(word, span, float if name == 'drop' else int)
            found[name] = [(value, _with(steps, shuffle, field, value)) for value in values]
        else:
            raise ValueError(f'--sweep takes {ACCEPTED}, got {word!r}')
    if not found:
        raise ValueError(f'--sweep takes {ACCEPTED}, got {text!r}')
    return found


def _span(word, span, kind):
    """The values from A to B, both included."""
    try:
        low, high, *more = (kind(part) for part in span.split(':'))
        step = more[0] if more else 0.25 if kind is float else 1
    except ValueError:
        raise ValueError(f'--sweep takes {ACCEPTED}, got {word!r}') from None
    if kind is float and not all(map(math.isfinite, (low, high, step))):
        raise ValueError(f'--sweep takes finite numbers, got {word!r}')
    if step <= 0 or high < low or len(more) > 1:
        raise ValueError(f'--sweep needs A:B[:STEP] with A at most B and a STEP above 0, got {word!r}')
    steps = (high - low) // step if kind is int else (high - low) / step + 1e-9
    if steps >= MOST:
        raise ValueError(f'--sweep takes at most {MOST} values a parameter, got more in {word!r}')
    return [round(low + k * step, 6) if kind is float else low + k * step for k in range(int(steps) + 1)]


def _with(steps, shuffle, field, value):
    if field == 'patch_size' and len(steps) > 1:
        raise ValueError('--sweep patch= varies a shuffle alone: use --strategy shuffle')
    return tuple(replace(step, **{field: value}) if step is shuffle else step for step in steps)


def _switched(name, steps, shuffle):
    """The setting with orientation or mixing, where it had none."""
    if name == 'orient':
        return _with(steps, shuffle, 'orient', True)
    if len(steps) > 1:
        raise ValueError('--sweep mixup compares with and without: use --strategy shuffle')
    if any(side % 2 for side in shuffle.patch_size):
        raise ValueError(f'--sweep mixup halves patches, so patch_size must be even, got {shuffle.patch_size}')
    halves = tuple(side // 2 for side in shuffle.patch_size)
    return MixupParams(shuffle.patch_size, 2, shuffle.remainder), replace(shuffle, patch_size=halves)
