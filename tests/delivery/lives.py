"""Starts, commands, kills and reads the children that run flows."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.delivery.child import Job, Told
from tests.delivery.reports import TIMEOUT_S, Reports

_ROOT = Path(__file__).parents[2]


class Life:
    """One process of a flow. A context manager: leaving it kills the process."""

    def __init__(self, job: Job) -> None:
        folders = [_ROOT / "runtime", _ROOT / "workbench", _ROOT]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.delivery.child", msgspec.json.encode(job).decode()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.reports = Reports()
        self._end: Told | None = None
        self._errors = b""
        self._threads = [
            threading.Thread(target=target, daemon=True)
            for target in (self._read_output, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    @property
    def errors(self) -> str:
        """Its standard error so far."""
        return self._errors.decode(errors="replace")

    @property
    def end(self) -> Told:
        """What it said at its end."""
        assert self._end is not None, f"it ended without a word; {self.errors}"
        return self._end

    def say(self, command: str) -> None:
        """Send a command: drain, finish, pause or resume."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait until it ends and return its exit code."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs after {timeout_s:g} s; {self.errors}") from None
        for thread in self._threads:
            thread.join(5)
        return code

    def drain(self) -> Told:
        """Drain it; it must end well."""
        return self._stop("drain")

    def finish(self) -> Told:
        """Have it finish; it must end well."""
        return self._stop("finish")

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self.wait()

    def _stop(self, command: str) -> Told:
        self.say(command)
        code = self.wait()
        assert code == 0, f"exit code {code}: {self.end.text} {self.errors}"
        return self.end

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # The log goes to standard output, too.
            if line.startswith(b'{"event":'):
                told = msgspec.json.decode(line, type=Told)
                if told.event == "end":
                    self._end = told
                elif told.report is not None:
                    self.reports(told.report)
        self.reports.end()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors += line


def job(flow: str, config: dict[str, Any], *, until_idle_ms: int | None = None) -> Job:
    """Return a child's orders."""
    return Job(flow=flow, config=config, until_idle_ms=until_idle_ms)


@contextlib.contextmanager
def living(
    flow: str, config: dict[str, Any], *, until_idle_ms: int | None = None
) -> Iterator[Life]:
    """Run a flow in a child until the context is left."""
    with Life(job(flow, config, until_idle_ms=until_idle_ms)) as life:
        yield life
