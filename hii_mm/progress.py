"""Progress callbacks: the library reports its progress without printing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar('Item')


class Progress(Protocol):
    """Called after each step of a long task. Raise an exception to stop the task."""

    def __call__(self, done: int, total: int, note: str = '') -> None:
        """Report a step.

        Args:
            done: steps finished so far, those of an earlier run included.
            total: all steps.
            note: what was just done, such as a loss; may be empty.
        """


def silent(done: int, total: int, note: str = '') -> None:
    """Report nothing. The default of every ``progress`` argument."""


def counted(items: Iterable[Item], progress: Progress, total: int, done: int = 0) -> Iterator[Item]:
    """Yield ``items``, and report each one once the next is asked for.

    Args:
        items: any iterable.
        progress: the callback; also called once before the first item.
        total: number of items, ``done`` included.
        done: items finished before.
    """
    progress(done, total)
    for item in items:
        yield item
        done += 1
        progress(done, total)
