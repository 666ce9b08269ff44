"""Grids of pieces: how many an encrypted image holds, and where they came from."""

from __future__ import annotations

from collections.abc import Sequence

from ...encryption import MixupParams, PatchGrid, Scheme, ShuffleParams
from ...encryption.shuffle import kept_shape
from ...errors import AttackRefusedError, InvalidValueError


def unshuffled(scheme: Scheme) -> str | None:
    """Return the reason why an attack on shuffled pieces does not apply; None if the scheme shuffles."""
    return None if scheme.shuffle else 'nothing was shuffled under this scheme'


def shuffle_of(scheme: Scheme) -> ShuffleParams:
    """Return the shuffle of a scheme.

    Raises:
        AttackRefusedError: there is none.
    """
    if scheme.shuffle is None:
        raise AttackRefusedError(f'{unshuffled(scheme)}: {scheme.label}')
    return scheme.shuffle


def mixup_of(scheme: Scheme) -> MixupParams:
    """Return the mixing of a scheme.

    Raises:
        AttackRefusedError: there is none.
    """
    if scheme.mixup is None:
        raise AttackRefusedError(f'nothing was mixed under this scheme: {scheme.label}')
    return scheme.mixup


def place_shape(scheme: Scheme, encrypted_shape: Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns) of the pieces in an encrypted image.

    Args:
        scheme: how it was encrypted.
        encrypted_shape: (h, w), or the whole shape of the image.

    Raises:
        InvalidValueError: the size is not a multiple of a piece, or there are
            fewer than two pieces.
    """
    (h, w), (ch, cw) = encrypted_shape[:2], scheme.core_size
    if h % ch or w % cw or h * w < 2 * ch * cw:
        raise InvalidValueError(
            f'an encrypted image of {h} x {w} (h x w) does not hold two or more pieces of {ch} x {cw}: '
            'check patch_size, gap and grid'
        )
    return h // ch, w // cw


def patch_grid(scheme: Scheme, plain_shape: Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns) of the patches that the shuffle of a scheme cuts a plain image of (h, w) into.

    Raises:
        InvalidValueError: a size that cannot be cut into patches.
    """
    (h, w), shuffle = plain_shape[:2], shuffle_of(scheme)
    if scheme.mixup:
        h, w = scheme.mixup.plan((h, w)).encrypted_shape
    return PatchGrid((h, w), shuffle.patch_size, shuffle.remainder).shape


def plain_grid(
    scheme: Scheme, encrypted_shape: Sequence[int], plain_shape: Sequence[int] | None = None
) -> tuple[int, int]:
    """Return (rows, columns) of the grid that the pieces of an encrypted image came from.

    Without ``drop_ratio`` it is the grid of the encrypted image. With it, the
    smallest and most square grid that fits is taken where the plain size is
    not known.

    Args:
        scheme: how the image was encrypted; it shuffles.
        encrypted_shape: (h, w) of the encrypted image.
        plain_shape: (h, w) of the plain image, or None.

    Raises:
        InvalidValueError: as :func:`place_shape` and :func:`patch_grid`.
    """
    (rows, cols), ratio = place_shape(scheme, encrypted_shape), shuffle_of(scheme).drop_ratio
    if not ratio:
        return rows, cols
    if plain_shape is not None:
        return patch_grid(scheme, plain_shape)
    sides = [(r, c) for r in range(rows, 3 * rows + 2) for c in range(cols, 3 * cols + 2)]
    fitting = [side for side in sides if kept_shape(side, ratio) == (rows, cols)]
    return min(fitting, key=lambda s: (s[0] * s[1], abs(s[0] - s[1]))) if fitting else (2 * rows, 2 * cols)


def plain_size(
    scheme: Scheme, encrypted_shape: Sequence[int], plain_shape: Sequence[int] | None = None
) -> tuple[int, int]:
    """Return (h, w) of the plain image, computed from the encrypted one where it is not given."""
    if plain_shape is not None:
        return plain_shape[0], plain_shape[1]
    h, w = encrypted_shape[:2]
    if scheme.shuffle:
        rows, cols = plain_grid(scheme, encrypted_shape)
        h, w = rows * scheme.shuffle.patch_size[0], cols * scheme.shuffle.patch_size[1]
    parts = scheme.mixup.grid if scheme.mixup else 1
    return h * parts, w * parts
