"""What ``encrypt``, ``merge``, ``verify`` and ``decrypt`` return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Problem(NamedTuple):
    """A file and what is wrong with it."""

    name: str
    reason: str


@dataclass
class Outcome:
    """The result of :func:`hii_mm.encrypt` and :func:`hii_mm.merge`.

    Attributes:
        images: images that were encrypted by this part, earlier runs included.
        rejects: source files that were not encrypted, by their path below the
            source folder. ``merge``, and ``encrypt`` of a finished copy, only
            know the names that the trainer sees: pseudonyms with ``rename``.
        dropped: how often what was left out of the annotations.
        closed: whether the manifest is written; False while other parts are missing.
        part: (index from 0, number of parts).
    """

    images: int = 0
    rejects: list[Problem] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    closed: bool = False
    part: tuple[int, int] = (0, 1)


@dataclass
class Verification:
    """The result of :func:`hii_mm.verify`.

    Attributes:
        images: images that were checked.
        problems: everything that is wrong; empty for a sound copy.
        signed: whether the signature was checked, which needs the key.
        compared: whether the images were compared with the source.
    """

    images: int = 0
    problems: list[Problem] = field(default_factory=list)
    signed: bool = False
    compared: bool = False

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


@dataclass
class Decryption:
    """The result of :func:`hii_mm.decrypt`.

    Attributes:
        images: images that were decrypted.
        failed: images that were not, and why.
        lost: mean share of the pixels that gap, drop or crop removed; they are
            black in the decrypted images.
    """

    images: int = 0
    failed: list[Problem] = field(default_factory=list)
    lost: float = 0.0
