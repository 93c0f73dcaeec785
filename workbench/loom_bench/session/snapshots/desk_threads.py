"""The two threads of a desk: one that reads and follows, one that works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from loom_bench.session.snapshots.desk_work import Changer
from loom_bench.session.snapshots.failing import explained

FOLLOW_INTERVAL_S: Final = 1.0
"""How often an open store is looked at again while a run writes it."""

_BEHIND_INTERVAL_S: Final = 0.05

Task = Callable[[], None]


class DeskThreads:
    """Begins its threads with the first task: most sessions look at no store.

    Args:
        follow: Done by the reading thread when nothing was asked for a while.
        is_behind: Returns whether *follow* has much to do, and is to be called soon.
        change: Takes what went wrong, as ``problem``.
    """

    def __init__(self, follow: Task, is_behind: Callable[[], bool], change: Changer) -> None:
        self._follow = follow
        self._is_behind = is_behind
        self._change = change
        self._reads: SimpleQueue[Task | None] = SimpleQueue()
        self._works: SimpleQueue[Task | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def read(self, task: Task) -> None:
        """Have the reading thread do *task*."""
        self._start()
        self._reads.put(task)

    def work(self, task: Task) -> None:
        """Have the working thread do *task*, after what was asked for before."""
        self._start()
        self._works.put(task)

    def close(self) -> None:
        """End; what waits is left undone."""
        with self._starting:
            self._closed = True
        self._reads.put(None)
        self._works.put(None)
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._threads or self._closed:
                return
            self._threads = [
                threading.Thread(target=target, name=name, daemon=True)
                for name, target in (
                    ("snapshots-read", self._serve_reads),
                    ("snapshots-work", self._serve_works),
                )
            ]
        for thread in self._threads:
            thread.start()

    def _serve_reads(self) -> None:
        while True:
            try:
                wait_s = _BEHIND_INTERVAL_S if self._is_behind() else FOLLOW_INTERVAL_S
                task = self._reads.get(timeout=wait_s)
            except Empty:
                task = self._follow
            if not self._done(task):
                return

    def _serve_works(self) -> None:
        while self._done(self._works.get()):
            pass

    def _done(self, task: Task | None) -> bool:
        if task is None or self._closed:
            return False
        problem = explained(task)
        if problem is not None:
            self._change(problem=problem)
        return True
