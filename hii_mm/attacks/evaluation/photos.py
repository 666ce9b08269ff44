"""Read picture files, and the photographs that Python packages ship."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import RejectedError, SourceError
from ...files import StrPath
from ...images import read_colours

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp')
SCENES = (  # scikit-image's and scikit-learn's photographs of things, people and places, and a star field
    'astronaut.png', 'camera.png', 'chelsea.png', 'coffee.png', 'coins.png', 'hubble_deep_field.jpg', 'ihc.png',
    'moon.png', 'motorcycle_left.png', 'motorcycle_right.png', 'retina.jpg', 'rocket.jpg', 'china.jpg', 'flower.jpg',
)  # fmt: skip
TEXTURES = ('brick.png', 'grass.png', 'gravel.png')
_FOLDERS = (('skimage', 'data'), ('sklearn.datasets', 'images'))


def picture_files(sources: Iterable[StrPath], out: StrPath | None = None) -> list[Path]:
    """Return all pictures among files and folders, sorted, each once.

    Args:
        sources: files and folders.
        out: the folder of the report. What lies below it is left out: an
            earlier report holds pictures too.

    Raises:
        SourceError: a source that does not exist, or no picture at all.
    """
    found: list[Path] = []
    given = [Path(source) for source in sources]
    for source in given:
        if source.is_dir():
            found += sorted(path for path in source.rglob('*') if path.suffix.lower() in SUFFIXES)
        elif source.is_file():
            found.append(source)
        else:
            raise SourceError(f'no such file or folder: {source}')
    outside = '' if out is None else f' outside of the report folder {str(out)!r}'
    if out is not None:
        below = Path(out).resolve()
        found = [path for path in found if not path.resolve().is_relative_to(below)]
    if not found:
        raise SourceError(f'no pictures in {", ".join(map(str, given))}{outside}: looked for {", ".join(SUFFIXES)}')
    return list(dict.fromkeys(found))


def load_pictures(
    files: Iterable[Path], size: int = 0, count: int | None = None, sizes: dict[str, tuple[int, int]] | None = None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read pictures.

    Args:
        files: of the pictures.
        size: side of the middle square that each becomes; 0 keeps it as it is.
        count: read at most that many.
        sizes: receives ``{name: (h, w) of the file, upright}``.

    Returns:
        ``{name: uint8 (H, W) or (H, W, 3)}``, and one line for each file that cannot be read.
    """
    pictures: dict[str, np.ndarray] = {}
    failed = []
    for path in files:
        if count is not None and len(pictures) >= count:
            break
        name = path.stem if path.stem not in pictures else str(path)
        try:
            pixels = read_colours(path)
        except RejectedError as error:
            failed.append(f'{path}: {error}')
        else:
            pictures[name] = square(Image.fromarray(pixels), size) if size else pixels
            if sizes is not None:
                sizes[name] = pixels.shape[0], pixels.shape[1]
    return pictures, failed


def square(image: Image.Image, side: int) -> np.ndarray:
    """Return the middle square of an image, resized (bilinear): (side, side, 3) uint8."""
    image = image.convert('RGB')
    least = min(image.size)
    left, top = ((length - least) // 2 for length in image.size)
    image = image.crop((left, top, left + least, top + least))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def sample_photos(side: int = 224, names: Sequence[str] = SCENES) -> dict[str, np.ndarray]:
    """Return ``{name: (side, side, 3) uint8}`` of scikit-image's and scikit-learn's photographs.

    Raises:
        ImportError: a package that ships one of them is not installed.
    """
    found = {}
    for name in names:
        path = _shipped(name)
        with Image.open(path) as image:
            found[path.stem] = square(image, side)
    return found


def _shipped(name: str) -> Path:
    """Return the path of a photograph in the first package that ships it."""
    for package, folder in _FOLDERS:
        module = importlib.import_module(package)
        path = Path(str(module.__file__)).parent / folder / name
        if path.is_file():
            return path
    raise FileNotFoundError(name)
