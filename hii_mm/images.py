"""Read and write image files. Pillow and NumPy only.

Accepted are BMP, GIF, JPEG, PNG, TIFF and WebP files that hold one image.
Bilevel images become grey and palettes become RGB (RGBA with transparency);
16-bit grey is kept. Everything else is rejected by name. Only pixel data is
kept: EXIF, GPS, thumbnails, ICC profiles and comments are stripped.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

import numpy as np
from PIL import Image, ImageOps

from .errors import RejectedError
from .files import StrPath, naming, open_regular

Result = TypeVar('Result')
FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')
MAX_PIXELS = 89_478_485  # Pillow's own warning level
MAX_BYTES = 1 << 30
_STRIP = 1 << 22  # bytes that are copied at once
_DECODING = 8  # bytes a pixel that decoding needs at most
_IRREGULAR = (errno.EINVAL, errno.EISDIR)  # as open_regular reports pipes, devices and folders
_OF_THE_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, *_IRREGULAR)
_ORIENTATION = 0x0112  # EXIF tag
_SAVE: dict[str, dict[str, Any]] = {
    # measured on 1024 x 768 photos: run lengths (type 3) at level 1 are smaller and 5 times faster than level 6
    '.png': dict(format='PNG', compress_level=1, compress_type=3),
    '.webp': dict(format='WEBP', lossless=True, quality=0, method=0, exact=True),
    '.jpg': dict(format='JPEG', quality=95, subsampling=0),
}


def read_file(root: StrPath, name: str) -> bytes:
    """Return the content of a file below a folder.

    Args:
        root: the real path of the folder.
        name: path of the file below it.

    Raises:
        RejectedError: missing, not a regular file, too large, or a symbolic
            link that leads out of the folder.
        OSError: it cannot be read now: the disk or the memory fails, or
            permission is missing. The error names the file.
    """
    with _open(root, name) as file:
        return file.read(os.fstat(file.fileno()).st_size)


@contextlib.contextmanager
def _open(root: StrPath, name: str) -> Iterator[BinaryIO]:
    """Open a file below a folder, see :func:`read_file`."""
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != os.fspath(root):
        raise RejectedError('a symbolic link that leads out of the source folder')
    try:
        file = open_regular(path)
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        raise RejectedError(
            error.strerror if error.errno in _IRREGULAR else f'cannot be read: {error.strerror}'
        ) from None
    with naming(path), file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise RejectedError(f'{size} bytes exceed the limit of {MAX_BYTES}')
        yield file


def decode(data: bytes) -> np.ndarray:
    """Decode an image file and apply its EXIF orientation.

    Args:
        data: the content of the file.

    Returns:
        (H, W) uint8 or uint16 for grey, or (H, W, C) uint8: grey with alpha
        (C = 2), RGB (3) or RGBA (4).

    Raises:
        RejectedError: not an accepted image; the message says what it is instead.
    """
    return decode_upright(data)[0]


def decode_upright(data: bytes) -> tuple[np.ndarray, int]:
    """Decode an image file and apply its EXIF orientation, see :func:`decode`.

    Returns:
        The upright pixels, and the orientation in the file, 1 (upright) to 8.

    Raises:
        RejectedError: as :func:`decode`.
    """
    if not data:
        raise RejectedError('an empty file')
    return _opened(io.BytesIO(data), _pixels)


def _opened(file: BinaryIO, use: Callable[[Any], Result]) -> Result:
    """Return ``use(image)`` of an image file.

    Raises:
        RejectedError: not an accepted image, or a damaged one.
        MemoryError: out of memory, which says nothing about the image.
        OSError: with an errno: the file could not be read.
    """
    size = 0, 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(file, formats=FORMATS) as image:
                size = image.size
                return use(image)
    except (RejectedError, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise RejectedError(f'not an image in {", ".join(FORMATS)}') from None
    except Image.DecompressionBombError:
        raise RejectedError(f'more than {MAX_PIXELS} pixels') from None
    except Exception as error:  # the exceptions of Pillow's decoders on damaged files are not documented
        if isinstance(error, OSError) and error.errno is not None:
            raise
        _check_memory(size, str(error))
        text = re.sub(r'<[^>]*0x[0-9a-f]+>', 'it', f'{type(error).__name__}: {error}')
        raise RejectedError(f'damaged: {text}') from None


def _check_memory(size: tuple[int, int], said: str) -> None:
    """Raise MemoryError where a decoder may have failed for lack of memory: some report that as damage.

    Args:
        size: (w, h) of the image; 0 where it is unknown.
        said: the message of the decoder.
    """
    if 'out of memory' in said:
        raise MemoryError(said)
    pixels = min(size[0] * size[1] or MAX_PIXELS, MAX_PIXELS)
    np.empty(_DECODING * pixels, np.uint8)  # is not touched, so it costs nothing


def read_colours(path: StrPath) -> np.ndarray:
    """Read an image for display or attack: 8 bits a channel, without alpha.

    Returns:
        uint8 (H, W) for grey, else (H, W, 3) RGB; 16-bit grey is scaled.

    Raises:
        RejectedError: missing, or not an image that :func:`decode` accepts.
    """
    folder, name = os.path.split(os.path.realpath(path))
    return as_colours(decode(read_file(folder, name)))


def as_colours(pixels: np.ndarray) -> np.ndarray:
    """Return pixels with 8 bits a channel and without alpha.

    Args:
        pixels: uint8 or uint16 (H, W) or (H, W, C) of up to four channels.

    Returns:
        uint8 (H, W) for grey, else (H, W, 3) RGB; 16 bits are scaled.
    """
    if pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] in (1, 2, 4):
        pixels = pixels[..., :3] if pixels.shape[2] == 4 else pixels[..., 0]
    return np.ascontiguousarray(pixels)


def header(root: StrPath, name: str) -> tuple[tuple[int, int], str, int]:
    """Return what an image file says of itself, without decoding its pixels.

    Args:
        root: the real path of the folder.
        name: path of the file below it.

    Returns:
        (h, w) of the upright image in pixels, its mode as :func:`mode_of`
        names it, and its EXIF orientation, 1 (upright) to 8.

    Raises:
        RejectedError: as :func:`read_file` and :func:`decode`, except for damage that only decoding finds.
    """
    with _open(root, name) as file:
        if not os.fstat(file.fileno()).st_size:
            raise RejectedError('an empty file')
        return _opened(file, _declared)


def _declared(image: Any) -> tuple[tuple[int, int], str, int]:
    """Return (h, w) of the upright image, its mode after decoding, and its orientation."""
    mode = _plain_mode(image, _check_kind(image))
    known = image.format != 'TIFF'  # of which Pillow has swapped the sides already
    if image.format == 'PNG':  # which Pillow would decode to look for EXIF behind the pixels
        known = bool({'exif', 'Raw profile type exif'} & image.info.keys())
    orientation, (w, h) = _orientation(image) if known else 1, image.size
    return ((h, w) if orientation < 5 else (w, h)), mode, orientation


def _check_kind(image: Any) -> bool:
    """Return whether an opened image has 16 bits a channel.

    Raises:
        RejectedError: a kind of image that is not accepted.
    """
    w, h = image.size
    if w * h > MAX_PIXELS:
        raise RejectedError(f'{w} x {h} pixels exceed the limit of {MAX_PIXELS}')
    if image.format != 'MPO' and getattr(image, 'n_frames', 1) > 1:  # MPO: a JPEG with a preview behind it
        raise RejectedError(f'{image.n_frames} images in one file (animated, or pages)')
    deep = image.format in ('PNG', 'TIFF') and any(
        re.search(r';16[BLNS]?$', str(word)) for tile in image.tile for word in _words(tile[3])
    )
    if deep and not image.mode.startswith('I'):
        raise RejectedError(f'16 bits a channel in colour or with alpha ({image.mode}), of which Pillow reads 8')
    return deep


def _pixels(image: Any) -> tuple[np.ndarray, int]:
    """Return the upright pixels of an opened image, and its EXIF orientation.

    Raises:
        RejectedError: a kind of image that is not accepted.
    """
    deep = _check_kind(image)
    image.load()
    orientation = _orientation(image)
    ImageOps.exif_transpose(image, in_place=True)
    mode = _plain_mode(image, deep)
    if mode == 'I;16':
        return np.asarray(image).astype(np.uint16), orientation
    return _array(image if image.mode == mode else image.convert(mode)), orientation


def _array(image: Any) -> np.ndarray:
    """Return the pixels of an image of 8 bits a channel; NumPy alone would hold them three times on the way."""
    (w, h), channels = image.size, len(image.getbands())
    out = np.empty((h, w) if channels == 1 else (h, w, channels), np.uint8)
    rows = max(1, _STRIP // (w * channels))
    for top in range(0, h, rows):
        out[top : top + rows] = np.asarray(image.crop((0, top, w, min(h, top + rows))))
    return out


def _orientation(image: Any) -> int:
    """Return the EXIF orientation, 1 to 8."""
    orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in range(2, 9) else 1


def _words(args: Any) -> Any:
    return args if isinstance(args, (tuple, list)) else (args,)


def _plain_mode(image: Any, deep: bool) -> str:
    """Return the mode in which the pixels of an image are kept: L, I;16, LA, RGB or RGBA.

    Raises:
        RejectedError: a mode whose conversion would lose something.
    """
    clear = 'transparency' in image.info
    if image.mode in ('I;16', 'I;16B', 'I;16L', 'I;16N') or (image.mode == 'I' and deep and image.format == 'PNG'):
        if clear:
            raise RejectedError('16-bit grey with a transparent value (tRNS), which the copy could not keep')
        return 'I;16'
    if image.mode in ('1', 'L'):
        return 'LA' if clear else 'L'
    if image.mode in ('P', 'RGB'):
        return 'RGBA' if clear else 'RGB'
    if image.mode in ('PA', 'LA', 'RGBA'):
        return 'LA' if image.mode == 'LA' else 'RGBA'
    raise RejectedError(f'colour mode {image.mode}; accepted are bilevel, grey (8 or 16 bits), RGB and palettes')


def mode_of(array: np.ndarray) -> str:
    """Return Pillow's mode of an array: 'L', 'I;16', 'LA', 'RGB' or 'RGBA'."""
    if array.ndim == 2:
        return 'I;16' if array.dtype == np.uint16 else 'L'
    return {2: 'LA', 3: 'RGB', 4: 'RGBA'}[array.shape[2]]


def encode(array: np.ndarray, extension: str) -> bytes:
    """Encode pixels as an image file; the same pixels give the same bytes.

    Args:
        array: as :func:`decode` returns it.
        extension: '.png', '.webp' or '.jpg'.

    Raises:
        RejectedError: pixels that the format cannot hold.
    """
    check_encodable(mode_of(array), array.shape[:2], extension)
    out, image = io.BytesIO(), Image.fromarray(array)
    del array  # Pillow has copied it, and a caller that gives it away frees it
    image.save(out, **_SAVE[extension])
    return out.getvalue()


def check_encodable(mode: str, hw: tuple[int, ...], extension: str) -> None:
    """Check that :func:`encode` takes an image of a mode and (h, w).

    Raises:
        RejectedError: the format cannot hold it.
    """
    h, w = hw
    if extension == '.webp' and mode == 'I;16':
        raise RejectedError('16-bit grey, which WebP cannot hold; use png')
    if extension == '.jpg' and mode not in ('L', 'RGB'):
        raise RejectedError(f'mode {mode} (16 bits or alpha), which JPEG cannot hold; use png')
    most = {'.webp': 16383, '.jpg': 65500}.get(extension)
    if most and max(h, w) > most:
        raise RejectedError(f'{w} x {h} pixels after encryption; a {extension} file holds at most {most} a side')


def decode_as(data: bytes, mode: str) -> np.ndarray:
    """Return the pixels of a file that :func:`encode` wrote from pixels of ``mode``.

    WebP has no grey and omits a full alpha channel; both are restored.

    Raises:
        RejectedError: unreadable, or pixels of another mode.
    """
    array = decode(data)
    got = mode_of(array)
    if got == 'RGB' and mode in ('RGBA', 'LA'):
        array = np.dstack([array, np.full(array.shape[:2], 255, np.uint8)])
        got = 'RGBA'
    if got != mode and (got, mode) in (('RGB', 'L'), ('RGBA', 'LA')):
        array = array[..., 0] if mode == 'L' else array[..., [0, 3]]
        got = mode
    if got != mode:
        raise RejectedError(f'its pixels are {got}, not {mode}')
    return np.ascontiguousarray(array)
