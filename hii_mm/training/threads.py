"""Set how many threads PyTorch computes with, by a config."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from mmengine.hooks import Hook

from ..encryption.checks import whole
from ..registry import HOOKS, register

if TYPE_CHECKING:
    from mmengine.runner import Runner


@register(HOOKS)
class TorchThreads(Hook):
    """Compute with this many threads on the CPU for as long as a run lasts.

    The operators of a tiny model take microseconds. Splitting each among threads
    gains little on idle cores, and on busy ones every thread waits for the one
    that has no core.

    In a config: ``custom_hooks = [dict(type='hii_mm.TorchThreads', num_threads=1)]``.

    Args:
        num_threads: within an operator, as :func:`torch.set_num_threads`.

    Raises:
        InvalidTypeError, InvalidValueError: not a whole number of at least 1.
    """

    priority = 'HIGHEST'

    def __init__(self, num_threads: int = 1) -> None:
        self.num_threads = whole('num_threads', num_threads, 1)
        self._before: int | None = None

    def before_run(self, runner: Runner) -> None:
        """Set the number of threads."""
        self._before = torch.get_num_threads()
        torch.set_num_threads(self.num_threads)

    def after_run(self, runner: Runner) -> None:
        """Set it back."""
        if self._before is not None:
            torch.set_num_threads(self._before)
            self._before = None
