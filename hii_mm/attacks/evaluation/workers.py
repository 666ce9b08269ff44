"""Worker processes of a run: ``python -m`` this module, requests and answers pickled over pipes.

Workers are started anew, not forked (threads of torch would not survive it),
and without importing the caller's script, which needs no ``__main__`` guard.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ...errors import HiiError
from ...files import StrPath
from ..attackers import attack_class
from .cases import Case
from .given import Scene, given_to
from .store import Pictures, Row
from .work import Options, Work

CAUGHT = (HiiError, ValueError, ImportError, OSError)  # reasons why an attack does not run; others are defects
THREADS = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMBA_NUM_THREADS')


class Task(NamedTuple):
    """One attack on one case, by its number among the cases; ``module`` defines the attack."""

    number: int
    attack: str
    key: str
    module: str


class Answer(NamedTuple):
    """The row of a task, or why there is none."""

    task: Task
    row: Row | None
    why: str | None


@dataclass(frozen=True)
class Settings:
    """What every worker needs: folder of the pictures, public photos, seed, options and gallery of the run."""

    folder: str
    public: Sequence[np.ndarray]
    seed: int
    options: Options
    gallery: Mapping[str, np.ndarray]


def importable(name: str) -> bool:
    """Return whether a worker can import an attack by the module and name of its class."""
    cls = attack_class(name)
    if cls.__module__ == '__main__' or '<locals>' in cls.__qualname__:
        return False
    try:
        return getattr(importlib.import_module(cls.__module__), cls.__qualname__, None) is cls
    except ImportError:
        return False


class Workers:
    """Processes that work on tasks; a context manager.

    Args:
        settings: of the run.
        jobs: number of processes.
    """

    def __init__(self, settings: Settings, jobs: int) -> None:
        self._jobs, self._settings = jobs, settings
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = tempfile.TemporaryDirectory(prefix='hii-mm-work-')
        self._threads: list[threading.Thread] = []
        self._runs, self._stopped = 0, False

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._folder.cleanup()

    def stop(self) -> None:
        """End the processes; tasks in hand are lost."""
        self._stopped = True
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):  # what was not sent is lost
                    pipe.close() if pipe else None

    def answers(
        self, cases: Sequence[Case], tasks: Sequence[Sequence[Task]], late: Callable[[], str | None]
    ) -> Iterator[Answer]:
        """Yield an answer for each task, in the order in which they are done.

        Args:
            cases: that tasks number.
            tasks: groups; the tasks of one group are done by one worker, one after the other.
            late: asked before each task; a reason not to begin it.
        """
        self._start()
        file = self._dump('cases', list(cases))
        waiting: queue.SimpleQueue[Sequence[Task]] = queue.SimpleQueue()
        done: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        for group in tasks:
            waiting.put(group)
        for process in self._processes:
            serve = threading.Thread(target=self._serve, args=(process, file, waiting, done, late), daemon=True)
            self._threads.append(serve)
            serve.start()
        for _ in range(sum(map(len, tasks))):
            answer = done.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    def _serve(
        self,
        process: subprocess.Popen[bytes],
        file: str,
        waiting: queue.SimpleQueue[Sequence[Task]],
        done: queue.SimpleQueue[Any],
        late: Callable[[], str | None],
    ) -> None:
        """Let one process do groups until none is left (in a thread)."""
        with contextlib.suppress(queue.Empty):
            while True:
                for task in waiting.get_nowait():
                    why = 'stopped' if self._stopped else late()
                    if why:
                        done.put(Answer(task, None, why))
                        continue
                    try:
                        row, why = self._ask(process, (file, task))
                    except (EOFError, OSError, pickle.UnpicklingError):
                        why = 'stopped' if self._stopped else late()
                        if not why:
                            done.put(RuntimeError(f'a worker process ended (code {process.wait()}); see its message'))
                            return
                        row = None
                    done.put(Answer(task, row, why))

    @staticmethod
    def _ask(process: subprocess.Popen[bytes], request: Any) -> tuple[Row | None, str | None]:
        assert process.stdin is not None and process.stdout is not None
        pickle.dump(request, process.stdin)
        process.stdin.flush()
        answer: tuple[Row | None, str | None] = pickle.load(process.stdout)
        return answer

    def _start(self) -> None:
        """Start the processes, once."""
        if self._processes:
            return
        start = self._dump('settings', (sys.path, self._settings))
        command = [sys.executable, '-c', f'from {__name__} import main; main()', start]
        env = {**os.environ, **dict.fromkeys(THREADS, '1'), 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        for _ in range(self._jobs):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, start_new_session=True
            )
            self._processes.append(process)

    def _dump(self, kind: str, content: Any) -> str:
        """Write a pickle for the workers and return its path."""
        self._runs += 1
        path = Path(self._folder.name, f'{kind}-{self._runs}.pickle')
        with open(path, 'wb') as file:
            pickle.dump(content, file, protocol=pickle.HIGHEST_PROTOCOL)
        return str(path)


def main() -> None:
    """Answer requests on stdin until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)  # what an attack prints must not get between the answers
    sys.path[:], settings = _load(sys.argv[1])
    serve(settings, sys.stdin.buffer, answers)


def serve(settings: Settings, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each pickled (file of the cases, task) with (row, None) or (None, reason)."""
    work = Work(Pictures(settings.folder), settings.seed, settings.options, settings.gallery)
    loaded, cases = '', []
    while True:
        try:
            file, task = pickle.load(requests)
        except EOFError:
            return
        if file != loaded:
            loaded, cases = file, _load(file)
        case = cases[task.number]
        answer: tuple[Row | None, str | None]
        try:
            importlib.import_module(task.module)
            given = given_to(attack_class(task.attack), Scene(case, cases, settings.public, settings.seed))
            answer = work.row(task.key, task.attack, case, given), None
        except CAUGHT as error:
            answer = None, str(error) or type(error).__name__
        pickle.dump(answer, answers)
        answers.flush()


def _load(path: StrPath) -> Any:
    with open(path, 'rb') as file:
        return pickle.load(file)  # written by the parent process, in a folder of mode 0700
