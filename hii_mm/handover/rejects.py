"""Group rejected files by reason, so that thousands of them are a few lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .results import Problem

_PARTICULARS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+(?:\.\d+)?")  # names and numbers in a reason


@dataclass
class RejectGroup:
    """Files that were rejected for one kind of reason.

    Attributes:
        count: number of files.
        name: the first of them.
        reason: why that one was rejected.
    """

    count: int
    name: str
    reason: str


def grouped(rejects: Iterable[Problem]) -> list[RejectGroup]:
    """Return one group for each kind of reason, the largest first; reasons of one kind differ in names and numbers."""
    groups: dict[str, RejectGroup] = {}
    for name, reason in rejects:
        group = groups.setdefault(_PARTICULARS.sub('', reason), RejectGroup(0, name, reason))
        group.count += 1
    return sorted(groups.values(), key=lambda group: -group.count)
