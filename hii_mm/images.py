"""Read and write image files. Pillow and NumPy only.

Accepted are BMP, GIF, JPEG, PNG, TIFF and WebP files that hold one image.
Bilevel images become grey and palettes become RGB (RGBA with transparency);
16-bit grey is kept. Everything else is rejected by name. Only pixel data is
kept: EXIF, GPS, thumbnails, ICC profiles and comments are stripped.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from .errors import RejectedError
from .files import StrPath

FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')
MAX_PIXELS = 89_478_485  # Pillow's own warning level
MAX_BYTES = 1 << 30
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
    """
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != os.fspath(root):
        raise RejectedError('a symbolic link that leads out of the source folder')
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise RejectedError('not a regular file')
        if status.st_size > MAX_BYTES:
            raise RejectedError(f'{status.st_size} bytes exceed the limit of {MAX_BYTES}')
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        raise RejectedError(f'cannot be read: {error.strerror}') from None


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
    if not data:
        raise RejectedError('an empty file')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _pixels(image)
    except RejectedError:
        raise
    except Image.UnidentifiedImageError:
        raise RejectedError(f'not an image in {", ".join(FORMATS)}') from None
    except Image.DecompressionBombError:
        raise RejectedError(f'more than {MAX_PIXELS} pixels') from None
    except Exception as error:  # the exceptions of Pillow's decoders on damaged files are not documented
        text = re.sub(r'<[^>]*0x[0-9a-f]+>', 'it', f'{type(error).__name__}: {error}')
        raise RejectedError(f'damaged: {text}') from None


def read_colours(path: StrPath) -> np.ndarray:
    """Read an image for display or attack: 8 bits a channel, without alpha.

    Returns:
        uint8 (H, W) for grey, else (H, W, 3) RGB; 16-bit grey is scaled.

    Raises:
        RejectedError: missing, or not an image that :func:`decode` accepts.
    """
    folder, name = os.path.split(os.path.realpath(path))
    pixels = decode(read_file(folder, name))
    if pixels.dtype == np.uint16:
        return (pixels // 257).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels = pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]
    return np.ascontiguousarray(pixels)


def _pixels(image: Any) -> np.ndarray:
    """Return the upright pixels of an opened image.

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
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in ('I;16', 'I;16B', 'I;16L', 'I;16N') or (image.mode == 'I' and deep and image.format == 'PNG'):
        return np.asarray(image).astype(np.uint16)
    return np.array(_plain_mode(image))


def _words(args: Any) -> Any:
    return args if isinstance(args, (tuple, list)) else (args,)


def _plain_mode(image: Any) -> Any:
    """Return the image in mode L, LA, RGB or RGBA.

    Raises:
        RejectedError: a mode whose conversion would lose something.
    """
    clear = 'transparency' in image.info
    if image.mode in ('1', 'L'):
        return image.convert('LA' if clear else 'L')
    if image.mode in ('P', 'RGB'):
        return image.convert('RGBA' if clear else 'RGB')
    if image.mode == 'PA':
        return image.convert('RGBA')
    if image.mode in ('LA', 'RGBA'):
        return image
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
    mode, (h, w) = mode_of(array), array.shape[:2]
    if extension == '.webp' and mode == 'I;16':
        raise RejectedError('16-bit grey, which WebP cannot hold; use png')
    if extension == '.jpg' and mode not in ('L', 'RGB'):
        raise RejectedError(f'mode {mode} (16 bits or alpha), which JPEG cannot hold; use png')
    most = {'.webp': 16383, '.jpg': 65500}.get(extension)
    if most and max(h, w) > most:
        raise RejectedError(f'{w} x {h} pixels after encryption; a {extension} file holds at most {most} a side')
    out = io.BytesIO()
    Image.fromarray(array).save(out, **_SAVE[extension])
    return out.getvalue()


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
