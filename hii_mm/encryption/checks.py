"""What is accepted, and the errors for everything else.

Messages quote the value they got and say what is accepted.
"""

import operator

import numpy as np

DTYPES = ('uint8', 'uint16', 'float32')
_ACCEPTED = frozenset(map(np.dtype, DTYPES))
REMAINDERS = ('error', 'pad', 'crop')


def check_image(image, height, width):
    """Check that ``image`` can be encrypted by a plan for (height, width).

    Raises:
        TypeError: not an ndarray, or a dtype other than ``DTYPES``.
        ValueError: not (H, W) or (H, W, C), empty, or of another size.
    """
    check_pixels(image)
    if image.shape[:2] != (height, width):
        got = f'{image.shape[0]} x {image.shape[1]}'
        raise ValueError(
            f'image is {got} (h x w), but this plan is for {height} x {width}; make a plan for each image size'
        )


def check_pixels(image):
    """Check type, dtype and shape of an image, whatever its size.

    Raises:
        TypeError: not an ndarray, or a dtype other than ``DTYPES``.
        ValueError: not (H, W) or (H, W, C), or empty.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(f'image must be a numpy.ndarray, got {type(image).__name__}')
    if image.dtype not in _ACCEPTED:
        got = image.dtype.name if image.dtype.isnative else f'{image.dtype.str} (foreign byte order)'
        raise TypeError(f'image dtype must be one of {", ".join(DTYPES)}, got {got}')
    if image.ndim not in (2, 3):
        raise ValueError(f'image must be (H, W) or (H, W, C), got {image.ndim} dimensions: {image.shape}')
    if image.size == 0:
        raise ValueError(f'image is empty: shape {image.shape}')


def whole(name, value, least):
    """``value`` as an int of at least ``least``.

    Raises:
        TypeError: a bool, a float or anything else that is no integer.
        ValueError: an integer below ``least``.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, (bool, np.bool_)):
        raise TypeError(f'{name} must be a whole number, got {value!r}')
    if number < least:
        raise ValueError(f'{name} must be at least {least}, got {number}')
    return number


def pair(name, value, least):
    """An int, or a sequence (h, w) of two, as the tuple (h, w).

    Raises:
        TypeError, ValueError: as :func:`whole`, or not two values.
    """
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f'{name} must be one whole number or (h, w), got {value!r}')
        return tuple(whole(f'{name}[{i}]', v, least) for i, v in enumerate(value))
    number = whole(name, value, least)
    return number, number


def one_of(name, value, accepted):
    """``value`` if it is in ``accepted``.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or value not in accepted:
        raise ValueError(f'{name} must be one of {", ".join(map(repr, accepted))}, got {value!r}')
    return value


def flag(name, value):
    """``value`` as a bool.

    Raises:
        TypeError: anything but True or False.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f'{name} must be True or False, got {value!r}')
    return bool(value)


def share(name, value):
    """``value`` as a float in [0, 1).

    Raises:
        TypeError: not a number.
        ValueError: outside [0, 1), NaN included.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f'{name} must be a number in [0, 1), got {value!r}')
    if not 0 <= value < 1:
        raise ValueError(f'{name} must be in [0, 1), got {value!r}')
    return float(value)
