"""A terminal that a program runs in: tmux makes it, and tells what stands in it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.cli.commands import environment

REQUIRED = "LOOM_REQUIRE_TMUX"
"""Set to 1 where tmux can be had: there tests in a terminal may not be skipped."""

TIMEOUT_S = 60.0

Condition = str | Callable[[str], object]


def need_tmux() -> None:
    """Skip the test where there is no tmux, and say so."""
    if shutil.which("tmux") is None:
        told = "tmux is not installed: the real program was not driven in a terminal"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(told)
        pytest.skip(told)


class Terminal:
    """Runs a command in a terminal of its own.

    Args:
        command: The command.
        folder: Where it runs; tmux keeps its socket there, too.
        size: Columns and rows.
        variables: Environment variables besides those of the test.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        size: tuple[int, int] = (120, 36),
        **variables: str,
    ) -> None:
        # A server that was told to end may not be gone yet: each terminal has one of its own.
        self._socket = str(folder / f"tmux-{secrets.token_hex(4)}")
        environ = environment(TERM="xterm-256color", LC_ALL="C.UTF-8", **variables)
        # readline, which pytest loads, writes its own idea of the size into the environment.
        for name in ("TMUX", "NO_COLOR", "COLUMNS", "LINES"):
            environ.pop(name, None)
        self._tmux(
            *("-f", os.devnull, "new-session", "-d", "-c", str(folder)),
            *("-x", str(size[0]), "-y", str(size[1]), *command),
            environ=environ,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tmux("kill-server", check=False)

    @property
    def text(self) -> str:
        """What stands in it."""
        return self._tmux("capture-pane", "-p")

    @property
    def pid(self) -> int:
        """Process id of the command."""
        return int(self.told("pane_pid"))

    def told(self, name: str) -> str:
        """Return what tmux knows of the terminal by this name: ``alternate_on``, say."""
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def press(self, *keys: str) -> None:
        """Press keys, as tmux names them."""
        self._tmux("send-keys", *keys)

    def until(self, *conditions: Condition, timeout_s: float = TIMEOUT_S) -> str:
        """Wait until every condition holds of what stands in it, and return that.

        Args:
            conditions: Texts that are to be seen, or tests of the whole text.
            timeout_s: Longest wait, seconds.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            text = self.text
            missing = [each for each in conditions if not _holds(each, text)]
            if not missing:
                return text
            if time.monotonic() > deadline_s:
                pytest.fail(f"not seen in {timeout_s} s: {missing}\n{text}", pytrace=False)
            time.sleep(0.1)

    def _tmux(
        self, *arguments: str, environ: dict[str, str] | None = None, check: bool = True
    ) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        done = subprocess.run(
            command, env=environ, check=check, capture_output=True, text=True, timeout=30
        )
        return done.stdout


def _holds(condition: Condition, text: str) -> bool:
    return condition in text if isinstance(condition, str) else bool(condition(text))


def descendants(pid: int) -> dict[int, str]:
    """Return the processes that *pid* started, and those that they did, with their command line."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found: dict[int, str] = {}
    wanted = {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted} - found.keys()
        found.update({child: _command_line(child) for child in wanted})
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
