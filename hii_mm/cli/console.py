"""Print messages and progress bars."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from ..progress import Progress, silent

LOG_SECONDS = 10.0  # between two lines of progress where stderr is not a terminal
LOG_FORMAT = '{desc}: {n_fmt} of {total_fmt}{unit}, {elapsed} elapsed, {remaining} left{postfix}'
BAR_FORMAT = '{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]'  # tqdm's own


def warn(command: str, text: str) -> None:
    """Print ``hii-mm COMMAND: text`` on stderr."""
    print(f'hii-mm {command}: {shown(text)}', file=sys.stderr)


def shown(text: object) -> str:
    """Return text that may hold file names, escaped where it cannot be printed.

    Line breaks stay; other control characters could command the terminal.
    """
    return '\n'.join(_printable(line) for line in str(text).split('\n'))


def _printable(line: str) -> str:
    try:
        line.encode(getattr(sys.stdout, 'encoding', None) or 'ascii')
    except (UnicodeError, LookupError):
        return ascii(line)[1:-1]
    return line if line.isprintable() else ascii(line)[1:-1]


def reason(error: OSError) -> str:
    """Return the path and the reason of a system error, such as 'a.png: Permission denied'."""
    if error.strerror is None:
        return str(error)
    return f'{error.filename}: {error.strerror}' if error.filename is not None else error.strerror


def plural(count: int, word: str) -> str:
    """Return '1 image', '3 images'."""
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


@contextlib.contextmanager
def progress(task: str, unit: str, quiet: bool, seconds: float = math.inf) -> Iterator[Progress]:
    """Show the progress of a task, with the time left, on stderr.

    On a terminal this is a bar; elsewhere it is a line every ten seconds,
    the first after ten seconds.

    Args:
        task: name of the task.
        unit: name of a step, such as 'image'.
        quiet: show nothing.
        seconds: after which the task stops; no more than what is left of them is shown as the time left.

    Yields:
        The callback to give to the library.
    """
    if quiet or sys.stderr is None:
        yield silent
        return
    bar = _Bar(task, f' {unit}s', time.monotonic() + seconds)
    try:
        yield bar
    finally:
        bar.close()


class _Bar:
    """A progress callback that draws a tqdm bar, from the first call on."""

    def __init__(self, task: str, unit: str, end: float) -> None:
        self._task, self._unit, self._end = task, unit, end
        self._bar: Any = None

    def __call__(self, done: int, total: int, note: str = '') -> None:
        """Draw; see :class:`hii_mm.progress.Progress`."""
        if self._bar is None:
            self._bar = self._start(done, total)
        self._bar.total = total
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def _start(self, done: int, total: int) -> Any:
        tqdm = _tqdm_until(self._end)
        tqdm.monitor_interval = 0  # no thread, which worker processes would copy
        how: dict[str, Any] = dict(dynamic_ncols=True)
        if not sys.stderr.isatty():
            how = dict(file=_Lines(sys.stderr), mininterval=LOG_SECONDS, delay=LOG_SECONDS, bar_format=LOG_FORMAT)
        elif not os.get_terminal_size(sys.stderr.fileno()).columns:
            how = dict(ncols=80, nrows=24)  # a terminal that does not state its size
        return tqdm(desc=self._task, total=total, initial=done, unit=self._unit, miniters=1, smoothing=0.05, **how)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def _tqdm_until(end: float) -> Any:
    """Return tqdm's class of bars, with a time left that is not beyond ``end`` on the monotonic clock."""
    from tqdm import tqdm

    class Until(tqdm):  # type: ignore[misc]
        @property
        def format_dict(self) -> dict[str, Any]:
            found: dict[str, Any] = super().format_dict
            rate = found['rate'] or (found['n'] - found['initial']) / max(found['elapsed'], 1e-9)
            steps = (found['total'] - found['n']) / rate if rate else math.inf
            left = self.format_interval(min(steps, max(0.0, end - time.monotonic())))
            return found | {'remaining': left, 'bar_format': found['bar_format'] or BAR_FORMAT}

    return tqdm if math.isinf(end) else Until


class _Lines:
    """A file that ends each state of a bar with a line break instead of overwriting it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a line, unless it is blank."""
        if text.strip():
            self._stream.write(text.strip() + '\n')

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()
