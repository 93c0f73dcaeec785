"""Context managers that a flow names as instances: opened once, whatever the number of workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any


class _Entry:
    __slots__ = ("holders", "manager", "value")

    def __init__(self, manager: AbstractContextManager[Any]) -> None:
        self.manager = manager
        self.value = manager.__enter__()
        self.holders = 0


class SharedContexts:
    """Opens a context manager for the first worker that asks, closes it with the last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[int, _Entry] = {}

    @contextmanager
    def hold(
        self, instance: object, opened: Callable[[], AbstractContextManager[Any]]
    ) -> Iterator[Any]:
        """Hold the context of *instance* open.

        Args:
            instance: What the flow names; its identity is what workers share.
            opened: Makes the context manager that opens it.
        """
        with self._lock:
            entry = self._entries.get(id(instance))
            if entry is None:
                entry = self._entries[id(instance)] = _Entry(opened())
            entry.holders += 1
        try:
            yield entry.value
        finally:
            with self._lock:
                entry.holders -= 1
                last = entry.holders == 0
                if last:
                    del self._entries[id(instance)]
            if last:
                entry.manager.__exit__(None, None, None)
