"""The settings that are tried: the presets and a small sweep; and what names them on the command line."""

from __future__ import annotations

from collections.abc import Iterable

from ..encryption import Scheme
from ..presets import PRESETS, name_of

# weaker and stronger neighbours of the presets; all but the last need no fitting of an attack
SWEEP = (
    Scheme(16, gap=2),
    Scheme(16, gap=4),
    Scheme(8, gap=2, noise=16),
    Scheme(16, strategy='both'),
    Scheme(32, strategy='both', grid=2, gap=1),
    Scheme(32, strategy='both', grid=4, gap=1),
    Scheme(16, strategy='both', gap=2),
)


def settings() -> list[Scheme]:
    """Return the schemes to try, each once: the presets, then the sweep."""
    return list(dict.fromkeys([*(entry.scheme for entry in PRESETS.values()), *SWEEP]))


def flags_of(scheme: Scheme) -> list[str]:
    """Return the words of ``hii-mm encrypt`` that give a scheme, without its ``remainder``.

    >>> flags_of(Scheme(32, strategy='both', grid=4, gap=1))
    ['--strategy', 'both', '--patch-size', '32', '--gap', '1', '--grid', '4']
    >>> flags_of(Scheme(16, gap=2, noise=16))
    ['--preset', 'light-v1']
    """
    name = name_of(scheme)
    if name is not None:
        return ['--preset', name]
    (h, w), mixup, shuffle = scheme.patch_size, scheme.mixup, scheme.shuffle
    if h != w:
        raise ValueError(f'the command line has square patches alone, got {h} x {w}')
    words = ['--strategy', scheme.strategy, '--patch-size', str(h)]
    if shuffle:
        words += ['--gap', str(shuffle.gap)]
        words += ['--drop-ratio', f'{shuffle.drop_ratio:g}'] if shuffle.drop_ratio else []
        words += ['--orient'] if shuffle.orient else []
        words += ['--window', str(shuffle.window)] if shuffle.window else []
        words += ['--tone'] if shuffle.tone else []
        words += ['--noise', str(shuffle.noise)] if shuffle.noise else []
    return words + (['--grid', str(mixup.grid)] if mixup else [])


def fit_of(scheme: Scheme, sizes: Iterable[tuple[int, int]], side: int) -> list[str]:
    """Return the words of ``hii-mm encrypt`` that bring pictures to the size at which they were tried.

    Args:
        scheme: to encrypt with.
        sizes: (h, w) of the picture files.
        side: of the middle square that was tried, in pixels; 0 for whole pictures, which are cut to whole patches.
    """
    ph, pw = scheme.patch_size
    w, h = side // pw * pw, side // ph * ph
    if side:
        return [] if set(sizes) == {(h, w)} else ['--size', f'{w}x{h}']
    return ['--fit', 'crop'] if any(h % ph or w % pw for h, w in sizes) else []
