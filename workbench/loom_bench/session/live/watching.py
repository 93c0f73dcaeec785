"""Watches the folders of a flow's files and tells when one of them was saved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchfiles import Change

STEP_MS = 10
"""A save is over when nothing changed for so long: editors write in several steps."""

DEBOUNCE_MS = 50
"""Longest time that changes are gathered."""

_WAKE_MS = 500


class FileWatcher:
    """A thread that watches. Folders are watched, not files: most editors replace a file.

    Args:
        on_change: Called from the thread with the files that changed.
        on_problem: Called from it with what went wrong when watching is not possible.
    """

    def __init__(
        self, on_change: Callable[[set[Path]], None], on_problem: Callable[[str], None]
    ) -> None:
        self._on_change = on_change
        self._on_problem = on_problem
        self._files: frozenset[Path] = frozenset()
        self._folders: frozenset[Path] = frozenset()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, files: frozenset[Path]) -> bool:
        """Watch *files*, and Python files beside them, from now on; return whether other folders
        are watched now: what was saved in between was not seen."""
        self._files = files
        folders = frozenset(file.parent for file in files if file.parent.is_dir())
        if folders == self._folders:
            return False
        self.close()
        self._folders, self._stop = folders, threading.Event()
        if folders:
            self._thread = threading.Thread(
                target=self._run, args=(folders, self._stop), name="watch-files", daemon=True
            )
            self._thread.start()
        return True

    def close(self) -> None:
        """Watch nothing any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._folders = frozenset()

    def _run(self, folders: frozenset[Path], stop: threading.Event) -> None:
        from watchfiles import watch  # noqa: PLC0415 - imported while the first revision loads

        try:
            for changes in watch(
                *folders,
                watch_filter=self._is_of_interest,
                debounce=DEBOUNCE_MS,
                step=STEP_MS,
                stop_event=stop,
                rust_timeout=_WAKE_MS,
                recursive=False,
                ignore_permission_denied=True,
                raise_interrupt=False,
            ):
                self._on_change({Path(path) for _, path in changes})
        except (OSError, RuntimeError) as error:
            if not stop.is_set():
                self._on_problem(str(error))

    def _is_of_interest(self, _change: Change, path: str) -> bool:
        return path.endswith(".py") or Path(path) in self._files
