"""Picture files to pixels and back. Pillow and NumPy only.

What is read: BMP, GIF, JPEG, PNG, TIFF and WebP with one picture in them.
Bilevel pictures become grey, palettes become RGB (with transparency: RGBA);
grey of 16 bits stays so. Everything else is rejected by name. Pixels alone
pass: EXIF, GPS, thumbnails, ICC profiles and comments do not.
"""

import io
import os
import re
import stat
import warnings

import numpy as np
from PIL import Image

FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')
MOST_PIXELS = 89_478_485  # Pillow's own warning level
MOST_BYTES = 1 << 30
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SAVE = {
    # measured on 1024 x 768 photos: run lengths (type 3) at level 1 are smaller and 5 times faster than level 6
    '.png': dict(format='PNG', compress_level=1, compress_type=3),
    '.webp': dict(format='WEBP', lossless=True, quality=0, method=0, exact=True),
    '.jpg': dict(format='JPEG', quality=95, subsampling=0),
}


class Reject(Exception):
    """One file cannot be handed over; the message says why, without a path."""


def read_file(root, name):
    """The bytes of a file below a folder.

    Args:
        root: the folder, its real path.
        name: the file's path below it.

    Raises:
        Reject: not there, no plain file, too large, or a symbolic link out of the folder.
    """
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != root:
        raise Reject('a symbolic link that leads out of SRC')
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise Reject('no plain file')
        if status.st_size > MOST_BYTES:
            raise Reject(f'{status.st_size} bytes are more than the {MOST_BYTES} that are read')
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        raise Reject(f'cannot be read: {error.strerror}') from None


def decode(data):
    """Picture bytes -> (H, W) uint8 or uint16, or (H, W, C) uint8, upright.

    Raises:
        Reject: no such picture; the message says what it is instead.
    """
    if not data:
        raise Reject('an empty file')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _pixels(image)
    except Reject:
        raise
    except Image.UnidentifiedImageError:
        raise Reject(f'not a picture in {", ".join(FORMATS)}') from None
    except Image.DecompressionBombError:
        raise Reject(f'more than {MOST_PIXELS} pixels') from None
    except Exception as error:  # what Pillow's decoders raise on damaged files is not documented
        text = re.sub(r'<[^>]*0x[0-9a-f]+>', 'it', f'{type(error).__name__}: {error}')
        raise Reject(f'damaged: {text}') from None


def _pixels(image):
    """The pixels of an opened picture, upright.

    Raises:
        Reject: a kind of picture that is not handed over.
    """
    w, h = image.size
    if w * h > MOST_PIXELS:
        raise Reject(f'{w} x {h} pixels are more than {MOST_PIXELS}')
    if image.format != 'MPO' and getattr(image, 'n_frames', 1) > 1:  # MPO: a JPEG with a preview behind it
        raise Reject(f'{image.n_frames} pictures in one file (animated, or pages)')
    deep = image.format in ('PNG', 'TIFF') and any(
        re.search(r';16[BLNS]?$', str(word)) for tile in image.tile for word in _words(tile[3])
    )
    if deep and not image.mode.startswith('I'):
        raise Reject(f'16 bits a channel in colour or with alpha ({image.mode}), of which Pillow reads 8')
    image.load()
    upright = _upright(image)
    if upright.mode in ('I;16', 'I;16B', 'I;16L', 'I;16N') or (upright.mode == 'I' and deep and image.format == 'PNG'):
        return np.asarray(upright).astype(np.uint16)
    return np.array(_plain_mode(upright))


def _words(args):
    return args if isinstance(args, (tuple, list)) else (args,)


def _upright(image):
    turn = _TURNS.get(image.getexif().get(0x0112))
    return image.transpose(turn) if turn is not None else image


def _plain_mode(image):
    """The picture in mode L, LA, RGB or RGBA.

    Raises:
        Reject: a mode that would lose something on the way.
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
    raise Reject(f'colour mode {image.mode}; accepted are bilevel, grey, RGB and palettes, and grey of 16 bits')


def mode_of(array):
    """Pillow's name for the pixels of an array: 'L', 'I;16', 'LA', 'RGB' or 'RGBA'."""
    if array.ndim == 2:
        return 'I;16' if array.dtype == np.uint16 else 'L'
    return {2: 'LA', 3: 'RGB', 4: 'RGBA'}[array.shape[2]]


def encode(array, extension):
    """Pixels -> the bytes of a '.png', '.webp' or '.jpg' file, the same ones for the same Pillow.

    Raises:
        Reject: pixels that the format cannot hold.
    """
    mode, (h, w) = mode_of(array), array.shape[:2]
    if extension == '.webp' and mode == 'I;16':
        raise Reject('grey of 16 bits, which WebP cannot hold; png can')
    if extension == '.jpg' and mode not in ('L', 'RGB'):
        raise Reject(f'mode {mode} (16 bits or alpha), which JPEG cannot hold; png can')
    most = {'.webp': 16383, '.jpg': 65500}.get(extension)
    if most and max(h, w) > most:
        raise Reject(f'{w} x {h} pixels after encryption; a {extension} file holds at most {most} a side')
    out = io.BytesIO()
    Image.fromarray(array).save(out, **_SAVE[extension])
    return out.getvalue()


def decode_as(data, mode):
    """The pixels of a file that :func:`encode` wrote from pixels of ``mode``.

    WebP has no grey and leaves out a full alpha; both are brought back.

    Raises:
        Reject: unreadable, or pixels of another mode.
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
        raise Reject(f'its pixels are {got}, not {mode}')
    return np.ascontiguousarray(array)
