"""Validation of arguments. Messages quote the value and say what is accepted."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InvalidTypeError, InvalidValueError

DTYPES = ('uint8', 'uint16', 'float32')
_ACCEPTED = frozenset(map(np.dtype, DTYPES))
REMAINDERS = ('error', 'pad', 'crop')


def check_image(image: Any, height: int, width: int) -> None:
    """Check that a plan for (height, width) can encrypt ``image``.

    Raises:
        InvalidTypeError: not an ndarray, or a dtype other than ``DTYPES``.
        InvalidValueError: not (H, W) or (H, W, C), empty, or of another size.
    """
    check_pixels(image)
    if image.shape[:2] != (height, width):
        got = f'{image.shape[0]} x {image.shape[1]}'
        raise InvalidValueError(
            f'image is {got} (h x w), but this plan is for {height} x {width}; make a plan for each image size'
        )


def check_pixels(image: Any) -> None:
    """Check the type, dtype and number of dimensions of an image.

    Raises:
        InvalidTypeError: not an ndarray, or a dtype other than ``DTYPES``.
        InvalidValueError: not (H, W) or (H, W, C), or empty.
    """
    if not isinstance(image, np.ndarray):
        raise InvalidTypeError(f'image must be a numpy.ndarray, got {type(image).__name__}')
    if image.dtype not in _ACCEPTED:
        got = image.dtype.name if image.dtype.isnative else f'{image.dtype.str} (foreign byte order)'
        raise InvalidTypeError(f'image dtype must be one of {", ".join(DTYPES)}, got {got}')
    if image.ndim not in (2, 3):
        raise InvalidValueError(f'image must be (H, W) or (H, W, C), got {image.ndim} dimensions: {image.shape}')
    if image.size == 0:
        raise InvalidValueError(f'image is empty: shape {image.shape}')


def whole(name: str, value: Any, least: int) -> int:
    """Return ``value`` as an int of at least ``least``.

    Raises:
        InvalidTypeError: not an integer (a bool or a float, say).
        InvalidValueError: an integer below ``least``.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, (bool, np.bool_)):
        raise InvalidTypeError(f'{name} must be a whole number, got {value!r}')
    if number < least:
        raise InvalidValueError(f'{name} must be at least {least}, got {number}')
    return number


def pair(name: str, value: Any, least: int) -> tuple[int, int]:
    """Return an int, or a sequence (h, w), as the tuple (h, w).

    Raises:
        InvalidTypeError, InvalidValueError: as :func:`whole`, or not two values.
    """
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise InvalidValueError(f'{name} must be one whole number or (h, w), got {value!r}')
        return whole(f'{name}[0]', value[0], least), whole(f'{name}[1]', value[1], least)
    number = whole(name, value, least)
    return number, number


def one_of(name: str, value: Any, accepted: Sequence[str]) -> str:
    """Return ``value`` if it is in ``accepted``.

    Raises:
        InvalidValueError: it is another value.
    """
    if not isinstance(value, str) or value not in accepted:
        raise InvalidValueError(f'{name} must be one of {", ".join(map(repr, accepted))}, got {value!r}')
    return value


def flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool.

    Raises:
        InvalidTypeError: neither True nor False.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidTypeError(f'{name} must be True or False, got {value!r}')
    return bool(value)


def share(name: str, value: Any) -> float:
    """Return ``value`` as a float in [0, 1).

    Raises:
        InvalidTypeError: not a number.
        InvalidValueError: outside [0, 1), NaN included.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidTypeError(f'{name} must be a number in [0, 1), got {value!r}')
    if not 0 <= value < 1:
        raise InvalidValueError(f'{name} must be in [0, 1), got {value!r}')
    return float(value)
