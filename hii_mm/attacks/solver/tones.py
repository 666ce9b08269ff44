"""Forms of pieces that do not depend on their tone, and how the tones of two pieces are related. NumPy only.

Tone (:mod:`...encryption.tone`) changes the order of a piece's colours, the
direction and the level of each. Contrasts stay. What is left of a piece is
brought to one form: levels are taken away, colours are sorted by their
contrast, and directions are chosen so that the colours vary together, as they
mostly do in photographs. Between two such pieces there may still be another
order of the colours and an inversion of all of them: one of ``STATES``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ORDERS = np.array([(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
STATES = 2 * len(ORDERS)  # state 2 * order + inverted: colour k of the left piece is ORDERS[order][k] of the right one
FLOOR = 1.0  # contrast, in grey levels, that counts as none
_SIGNS = np.array([(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)], np.float32)


class Bare(NamedTuple):
    """Pieces without their tone.

    Attributes:
        pieces: float32 (n, h, w, 3), each colour with mean 0.
        order: int64 (n, 3), the colour of the toned piece that each colour was.
        sign: float32 (n, 3), -1 where it was inverted, 1 elsewhere.
        level: float32 (n, 3), the mean that was taken away.
    """

    pieces: np.ndarray
    order: np.ndarray
    sign: np.ndarray
    level: np.ndarray


def bare(pieces: np.ndarray) -> Bare:
    """Take the tone off pieces, (n, h, w, 3) float32."""
    level = pieces.mean(axis=(1, 2))
    rest = pieces - level[:, None, None]
    products = np.einsum('nhwc,nhwd->ncd', rest, rest) / (rest.shape[1] * rest.shape[2])
    contrast = np.sqrt(np.einsum('ncc->nc', products))
    order = np.argsort(-contrast, axis=1, kind='stable')
    alike = products / ((contrast[:, :, None] + FLOOR) * (contrast[:, None] + FLOOR))
    best = np.einsum('sc,ncd,sd->ns', _SIGNS, alike, _SIGNS).argmax(axis=1)
    sign, level = (np.take_along_axis(each, order, 1) for each in (_SIGNS[best], level))
    found = np.take_along_axis(rest, order[:, None, None], 3) * sign[:, None, None]
    return Bare(np.ascontiguousarray(found, np.float32), order, sign, level.astype(np.float32))


def forms(pieces: np.ndarray) -> np.ndarray:
    """Return what is left of pieces (n, h, w, 3) that two of any tones have in common: float32, same shape.

    As :func:`bare`, and inverted as a whole so that the third moment is positive.
    """
    rest = bare(pieces).pieces
    grey = rest.mean(axis=3)
    way = np.where((grey**3).sum(axis=(1, 2)) < 0, -1, 1).astype(np.float32)
    return rest * way[:, None, None, None]


def shown(pieces: np.ndarray) -> np.ndarray:
    """Return pieces (n, h, w, 3) without their tone around middle grey, float32 in [0, 255]."""
    return np.clip(bare(pieces).pieces + 127.5, 0, 255)


def through(values: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) of right pieces as colours of the left ones, under states (...)."""
    order, sign = ORDERS[state // 2], 1 - 2 * (state % 2)
    return np.take_along_axis(values, order, -1) * sign[..., None]


def composed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the state from a piece over a second one to a third one."""
    found: np.ndarray = _PRODUCT[first, second]
    return found


def backward(state: np.ndarray) -> np.ndarray:
    """Return the state from the right piece to the left one."""
    found: np.ndarray = _BACK[state]
    return found


def _codes(orders: np.ndarray) -> np.ndarray:
    return (orders[..., None, :] == ORDERS).all(axis=-1).argmax(axis=-1)


_INDEX = np.arange(STATES)
_PRODUCT = 2 * _codes(ORDERS[_INDEX[None] // 2, ORDERS[_INDEX // 2].T[..., None]].transpose(1, 2, 0)) + (
    (_INDEX[:, None] + _INDEX) % 2
)
_BACK = 2 * _codes(np.argsort(ORDERS[_INDEX // 2], axis=1)) + _INDEX % 2
