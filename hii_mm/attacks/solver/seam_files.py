"""Files of fitted seam models: those that are shipped, and those in the user's cache. NumPy only."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...encryption import Scheme
from ...errors import CheckpointError
from ...files import StrPath, write_atomically
from .grids import shuffle_of
from .seam_measures import Side, measure_names
from .student import StudentT
from .tone_windows import KINDS, ToneWindow
from .windows import Window

FORMAT = 1
SHIPPED = Path(__file__).parents[1] / 'shipped'
HEAD = ('format', 'setting', 'core', 'gap', 'sides')
Head = tuple[str, tuple[int, int], int, list[Side]]


def setting_of(scheme: Scheme) -> str:
    """Name what decides how seams look, such as 'rs-p16-gap2-tone-noise16' or 'mi-p16-grid2-gap0'.

    Drop, orient and window do not.

    Raises:
        AttackRefusedError: a scheme that does not shuffle.
    """
    shuffle, mixup = shuffle_of(scheme), scheme.mixup
    values = ('-tone' if shuffle.tone else '') + (f'-noise{shuffle.noise}' if shuffle.noise else '')
    if mixup is None:
        return f'rs-p{_size(shuffle.patch_size)}-gap{shuffle.gap}{values}'
    other = '' if shuffle.patch_size == mixup.core_size else f'-rs-p{_size(shuffle.patch_size)}'
    return f'mi-p{_size(mixup.patch_size)}-grid{mixup.grid}{other}-gap{shuffle.gap}{values}'


def _size(sides: tuple[int, int]) -> str:
    return f'{sides[0]}' if sides[0] == sides[1] else f'{sides[0]}x{sides[1]}'


def save(path: StrPath, setting: str, core: tuple[int, int], gap: int, sides: Sequence[Side]) -> None:
    """Write a model as a compressed npz of plain arrays, at once and whole.

    The arguments are the attributes of :class:`.seams.SeamModel`.
    """
    arrays: dict[str, np.ndarray] = {
        'format': np.array(FORMAT),
        'setting': np.array(setting),
        'core': np.array(core),
        'gap': np.array(gap),
        'sides': np.array(len(sides)),
    }
    for number, side in enumerate(sides):
        arrays |= {f'{number}.{name}': array for name, array in _packed(side).items()}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # NumPy's own keyword is a bool
    write_atomically(path, content.getvalue())


def load(path: StrPath) -> Head:
    """Read what :func:`save` wrote: the setting, the core, the gap and the sides.

    Raises:
        CheckpointError: another file, or a damaged one; the message says what was found.
        OSError: it cannot be read.
    """
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        return _checked(found)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(f'{os.fspath(path)} is not a seam model of hii-mm, or is damaged: {error}') from None


def _checked(found: Mapping[str, np.ndarray]) -> Head:
    """Build the parts of a model from arrays.

    Raises:
        ValueError, KeyError: arrays of other names, shapes or values.
    """
    missing = [name for name in HEAD if name not in found]
    if missing:
        raise ValueError(f'no {", ".join(missing)} among {", ".join(sorted(found)) or "nothing"}')
    if int(found['format']) != FORMAT:
        raise ValueError(f'format {int(found["format"])}, and this version reads {FORMAT}')
    (h, w), gap, count = (int(side) for side in found['core']), int(found['gap']), int(found['sides'])
    if count not in (1, 2) or (count == 1) != (h == w):
        raise ValueError(f'{count} sides of pieces of {h} x {w}')
    sides = [_unpacked(found, f'{number}.', (h, w)[::-1] if number else (h, w)) for number in range(count)]
    return str(found['setting']), (h, w), gap, sides


def _packed(side: Side) -> dict[str, np.ndarray]:
    arrays = {
        'windows': np.array(side.windows, np.int64),
        'numbers': np.array([[[d.freedom, d.offset, d.rank] for d in pair] for pair in side.densities]),
        'spread': side.spread,
        'weights': side.weights,
    }
    for number, pair in enumerate(side.densities):
        arrays[f'mean{number}'] = np.stack([density.mean for density in pair])
        lower = np.tril_indices(len(pair[0].mean))
        arrays[f'precision{number}'] = np.stack([density.precision[lower] for density in pair])
    return arrays


def _unpacked(found: Mapping[str, np.ndarray], prefix: str, core: tuple[int, int]) -> Side:
    """Build one side, with all shapes checked."""
    windows = _windows(found[f'{prefix}windows'])
    alike = 1 if isinstance(windows[0], ToneWindow) else 2  # densities of a window
    if any(not (0 < s.columns <= core[1] and 0 < s.rows <= core[0]) for s in windows):
        raise ValueError(f'windows {windows} on pieces of {core[0]} x {core[1]}')
    count = len(measure_names(windows, core[1]))
    shapes = {'numbers': (len(windows), alike, 3), 'spread': (count,), 'weights': (2, count)}
    for number, window in enumerate(windows):
        shapes[f'mean{number}'] = (alike, window.size)
        shapes[f'precision{number}'] = (alike, window.size * (window.size + 1) // 2)
    arrays = {name: found[f'{prefix}{name}'] for name in shapes}
    for name, array in arrays.items():
        if array.shape != shapes[name] or array.dtype.kind != 'f' or not np.isfinite(array).all():
            raise ValueError(f'{prefix}{name} is {array.dtype} {array.shape}, not finite floats {shapes[name]}')
    densities = []
    for number, pair in enumerate(arrays['numbers']):
        parts = zip(pair, arrays[f'mean{number}'], arrays[f'precision{number}'])
        laws = (
            StudentT(mean, _symmetric(precision), float(f), float(o), int(r)) for (f, o, r), mean, precision in parts
        )
        densities.append(tuple(laws))
    return Side(windows, tuple(densities), arrays['spread'], arrays['weights'])


def _windows(numbers: np.ndarray) -> tuple[Window | ToneWindow, ...]:
    """Return the windows of a file, of which there is at least one: three numbers each, or four for those of tone."""
    if numbers.ndim != 2 or not len(numbers) or numbers.shape[1] not in (3, 4):
        raise ValueError(f'windows {numbers.tolist()}')
    if numbers.shape[1] == 3:
        return tuple(Window(int(c), int(r), bool(k)) for c, r, k in numbers)
    if not np.isin(numbers[:, 3], range(len(KINDS))).all():
        raise ValueError(f'windows of the kinds {numbers[:, 3].tolist()}')
    return tuple(ToneWindow(int(c), int(r), bool(k), int(kind)) for c, r, k, kind in numbers)


def _symmetric(lower: np.ndarray) -> np.ndarray:
    """Return the symmetric matrix of a lower triangle, row by row: (d (d + 1) / 2,) -> (d, d)."""
    d = int(np.sqrt(2 * len(lower)))
    matrix = np.zeros((d, d), lower.dtype)
    matrix[np.tril_indices(d)] = lower
    return matrix + np.tril(matrix, -1).T


def cache_file(setting: str, photos: Sequence[np.ndarray]) -> Path:
    """Return the path in the user's cache of a model of a setting that is fitted to photos."""
    digest = hashlib.sha256(f'{FORMAT} {setting}'.encode())
    for photo in photos:
        digest.update(str(photo.shape).encode() + np.ascontiguousarray(photo).tobytes())
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'hii-mm' / 'seams' / f'{digest.hexdigest()[:32]}.npz'
