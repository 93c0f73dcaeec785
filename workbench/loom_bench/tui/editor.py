"""The user's editor: which command opens a file at a line, and running it in the foreground."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

RunsEditor = Callable[[Sequence[str]], int]
"""Runs a command in the foreground and returns its exit code; raises OSError when it cannot."""

_GOTO = frozenset({"code", "code-insiders", "codium", "cursor", "windsurf"})
_PLACE_IN_NAME = frozenset({"subl", "zed", "hx", "helix", "micro"})
_NO_LINES = frozenset({"ed", "gedit"})


def editor_command(environ: Mapping[str, str], file: str, line: int | None = None) -> list[str]:
    """Return the command that opens *file* at *line*: ``$VISUAL``, ``$EDITOR``, or ``vi``.

    Raises:
        ValueError: When the variable cannot be read as a command.
    """
    words = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "vi")
    if not words:
        raise ValueError("the editor's name is empty")
    name = PurePath(words[0]).name
    if name in _GOTO:
        return [*words, "--wait", "--goto", file if line is None else f"{file}:{line}"]
    if line is None or name in _NO_LINES:
        return [*words, file]
    if name in _PLACE_IN_NAME:
        return [*words, f"{file}:{line}"]
    return [*words, f"+{line}", file]


def run_editor(command: Sequence[str]) -> int:
    """Run *command* and wait for its end.

    Raises:
        OSError: When it cannot be started.
    """
    # Spawned, not forked: threads run here.
    pid = os.posix_spawnp(command[0], list(command), os.environ)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
