"""Finds the state of a key as a flow has written it down last."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from loom_bench.session.live.hosts import Post
from loom_runtime.failures import RunError
from loom_runtime.recovery.contents import read_values

Then = Callable[[bytes | None], None]


class StepStates:
    """The states of all keys of the steps that many records meet: each step is read once.

    Args:
        post: Has something done on the thread that asks.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self._folder: Path | None = None
        self._steps: dict[str, dict[str, bytes]] = {}

    def begin(self, folder: Path | None) -> None:
        """Forget what was read, and read from *folder* from now on; ``None`` for no store."""
        self._folder, self._steps = folder, {}

    def find(self, state_id: str, key: str, then: Then) -> None:
        """Call *then*, on the thread that asks, with the state of *key* at the end of the last
        epoch; ``None`` when it has none or it cannot be read."""
        step, folder = self._steps.get(state_id), self._folder
        if step is not None or folder is None:
            then(None if step is None else step.get(key))
            return
        threading.Thread(
            target=self._read, args=(folder, state_id, key, then), name="read-states", daemon=True
        ).start()

    def _read(self, folder: Path, state_id: str, key: str, then: Then) -> None:
        try:
            step = read_values(folder, state_id)
        except (RunError, ValueError, OSError):  # it was deleted, or is being made
            step = {}
        self._post(partial(self._take, folder, state_id, step, key, then))

    def _take(
        self, folder: Path, state_id: str, step: dict[str, bytes], key: str, then: Then
    ) -> None:
        if folder == self._folder:
            self._steps[state_id] = step
        then(step.get(key))


class StateReader:
    """Reads the recovery store of a flow, on threads of its own.

    Attributes:
        problem: Why the store could not be read the last time; empty when it could.

    Args:
        post: Has something done on the session's thread.
        folder: Returns the store's folder; ``None`` for none.
    """

    def __init__(self, post: Post, folder: Callable[[], Path | None]) -> None:
        self._post = post
        self._folder = folder
        self.problem = ""

    def find(self, state_id: str, key: str, then: Callable[[bytes | None], None]) -> None:
        """Call *then*, on the session's thread, with the state of *key* at the end of the last
        epoch; ``None`` when it has none or it cannot be read."""
        folder = self._folder()
        if folder is None:
            then(None)
            return
        threading.Thread(
            target=self._read, args=(folder, state_id, key, then), name="read-state", daemon=True
        ).start()

    def _read(
        self, folder: Path, state_id: str, key: str, then: Callable[[bytes | None], None]
    ) -> None:
        found, problem = None, ""
        try:
            found = read_values(folder, state_id).get(key)
        except (RunError, ValueError, OSError) as error:  # it was deleted, or is being made
            problem = str(error)
        self.problem = problem
        self._post(partial(then, found))
