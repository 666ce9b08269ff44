"""Check that a picture is one that a model reads."""

from __future__ import annotations

from ..encryption import Scheme
from ..errors import InvalidValueError
from .pictures import Picture, Source


def check_picture(picture: Picture, scheme: Scheme | None) -> None:
    """Check that a model reads pictures like this one; a plain one always, as it is encrypted first.

    Args:
        picture: as it was found.
        scheme: that the model reads; None for a model of plain pictures.

    Raises:
        InvalidValueError: it does not; the message names both schemes.
    """
    if not picture.encrypted:
        return
    if scheme is None:
        how = picture.scheme.label if picture.scheme else 'encrypted=True'
        raise InvalidValueError(f'{picture.name} is encrypted ({how}), but this model was trained on plain pictures')
    check_scheme(picture, scheme)


def check_scheme(found: Picture | Source, scheme: Scheme) -> None:
    """Check that a picture is not known to be encrypted in another way than a model reads.

    Args:
        found: a picture, or where it comes from.
        scheme: that the model reads.

    Raises:
        InvalidValueError: it is; the message names both schemes.
    """
    if found.scheme and found.scheme.with_remainder('error') != scheme.with_remainder('error'):
        raise InvalidValueError(
            f'{found.name} is encrypted with {found.scheme.label}, but this model reads {scheme.label}'
        )
