"""Results of ``encrypt``, ``merge``, ``verify`` and ``decrypt``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_ODD = 1000  # malformed annotations that are named


class Problem(NamedTuple):
    """A file and what is wrong with it."""

    name: str
    reason: str


@dataclass
class Update:
    """The changes that :func:`hii_mm.encrypt` with ``update`` made to a finished copy.

    Attributes:
        added: images that are new in the copy.
        changed: images whose source files changed, which were encrypted again.
        kept: images that stayed.
        repaired: images among them whose file in the copy was missing or short.
        removed: images of the copy whose source files are gone, by their names in
            the copy. They stay in the copy.
    """

    added: int = 0
    changed: int = 0
    kept: int = 0
    repaired: int = 0
    removed: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """The result of :func:`hii_mm.encrypt` and :func:`hii_mm.merge`.

    Attributes:
        images: images that were encrypted by this part, earlier runs included.
        rejects: source files that were not encrypted, by their path below the
            source folder. ``merge``, and ``encrypt`` of a finished copy, only
            know the names that the trainer sees: pseudonyms with ``rename``.
        dropped: how often what was left out of the annotations.
        odd: malformed annotations, by their place in the COCO file, and what is wrong
            with them; at most ``MAX_ODD``. They, or the part that is wrong, are left out.
        notes: what the owner should know about the copy, one sentence each.
        closed: whether the manifest is written; False while other parts are missing.
        part: (index from 0, number of parts).
        update: with ``update``: what was done.
    """

    images: int = 0
    rejects: list[Problem] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    odd: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    closed: bool = False
    part: tuple[int, int] = (0, 1)
    update: Update | None = None

    def add_odd(self, found: Iterable[tuple[str, str]]) -> None:
        """Add malformed annotations, up to ``MAX_ODD``."""
        for name, reason in found:
            if len(self.odd) < MAX_ODD:
                self.odd.append(Problem(name, reason))


@dataclass
class Verification:
    """The result of :func:`hii_mm.verify`.

    Attributes:
        images: images that were checked.
        problems: everything that is wrong; empty for a sound copy.
        signed: whether the signature was checked, which needs the key.
        deep: whether every file was read; else images and tar files were checked by size.
        compared: whether the images were compared with the source.
    """

    images: int = 0
    problems: list[Problem] = field(default_factory=list)
    signed: bool = False
    deep: bool = False
    compared: bool = False

    @property
    def ok(self) -> bool:
        """True if no problem was found."""
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
