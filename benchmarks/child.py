"""A program that a benchmark starts as a fresh process, and the signals it prints."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from benchmarks.job import Signal

ROOT: Final = Path(__file__).resolve().parent.parent
_LOG_LINES: Final = 30


class RunFailedError(RuntimeError):
    """A child died, stalled, or wrote something wrong."""


class Child:
    """One running module. A context manager: leaving it kills the process.

    Args:
        python: Interpreter that runs it.
        module: Module that is started.
        task: Its only argument, encoded as JSON.
        log: File that takes its standard error.
    """

    def __init__(self, python: str, module: str, task: msgspec.Struct, log: Path) -> None:
        self._log = log
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [python, "-m", module, msgspec.json.encode(task).decode()],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        self._signals: list[Signal] = []
        self._changed = threading.Condition()
        self._ended = False
        assert self._process.stdout is not None
        self._reading = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def _read(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            # A contestant may log to standard output as well.
            if not line.startswith(b'{"event"'):
                continue
            with contextlib.suppress(msgspec.DecodeError):
                found = msgspec.json.decode(line, type=Signal)
                with self._changed:
                    self._signals.append(found)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self, event: str) -> list[Signal]:
        """Every signal of this name so far."""
        with self._changed:
            return [found for found in self._signals if found.event == event]

    def wait(self, event: str, timeout_s: float) -> Signal | None:
        """The first signal of this name; None when the process ended or the time ran out first."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._find(event) is not None, timeout_s)
            return self._find(event)

    def _find(self, event: str) -> Signal | None:
        return next((found for found in self._signals if found.event == event), None)

    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def say(self, line: str) -> None:
        """Write one line to its standard input; a child that is gone hears nothing."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def wait_for_exit(self, timeout_s: float) -> int | None:
        """The exit code; None when it still runs after ``timeout_s``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def kill(self) -> None:
        """Send SIGKILL, reap it, and take in what it printed."""
        self._process.kill()
        self._process.wait()
        self._reading.join(5)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()

    def log_tail(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
