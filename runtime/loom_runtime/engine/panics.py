"""Keeps what Bytewax's panics print off standard error: a run tells its failure itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from types import TracebackType

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, cluster_main

ExceptHook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


class _QuietPanics:
    """On one worker Bytewax raises through a Rust panic, whose default hook prints it.

    Bytewax's cluster entry point leaves a hook behind that hands panics to ``sys.excepthook``
    instead, on the panicking thread, and there they can be passed over.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._hooked = False
        self._threads: set[int] = set()
        self._previous: ExceptHook = sys.__excepthook__

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Pass over the panics of the calling thread until the context is left."""
        thread = get_ident()
        with self._lock:
            if not self._hooked:
                _run_nothing()
                self._hooked = True
            if sys.excepthook != self._hook:
                self._previous, sys.excepthook = sys.excepthook, self._hook
            self._threads.add(thread)
        try:
            yield
        finally:
            with self._lock:
                self._threads.discard(thread)
                if not self._threads and sys.excepthook == self._hook:
                    sys.excepthook = self._previous

    def _hook(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if get_ident() not in self._threads:
            self._previous(kind, error, traceback)


def _run_nothing() -> None:
    """Run an empty flow through the cluster entry point; takes a millisecond."""
    flow = Dataflow("nothing")
    op.output("out", op.input("in", flow, TestingSource(())), TestingSink([]))
    cluster_main(flow, [], 0)  # type: ignore[no-untyped-call]


quiet_panics = _QuietPanics()
"""Passes over panics of the calling thread; a context manager."""
