"""Which command opens a file at a line, and running it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loom_bench.tui.editor import editor_command, run_editor


@pytest.mark.parametrize(
    ("environ", "command"),
    [
        ({}, ["vi", "+3", "f.py"]),
        ({"EDITOR": "nano"}, ["nano", "+3", "f.py"]),
        ({"EDITOR": "nano", "VISUAL": "/usr/bin/nvim -R"}, ["/usr/bin/nvim", "-R", "+3", "f.py"]),
        ({"EDITOR": "code"}, ["code", "--wait", "--goto", "f.py:3"]),
        ({"EDITOR": "hx"}, ["hx", "f.py:3"]),
        ({"EDITOR": "ed"}, ["ed", "f.py"]),
        ({"EDITOR": "'my editor' -x"}, ["my editor", "-x", "+3", "f.py"]),
    ],
)
def test_editors_are_told_the_line_in_their_way(
    environ: dict[str, str], command: list[str]
) -> None:
    assert editor_command(environ, "f.py", 3) == command


def test_without_a_line_the_file_is_enough() -> None:
    assert editor_command({"EDITOR": "vim"}, "f.py") == ["vim", "f.py"]
    assert editor_command({"EDITOR": "code"}, "f.py") == ["code", "--wait", "--goto", "f.py"]


def test_a_variable_that_is_no_command_is_refused() -> None:
    with pytest.raises(ValueError, match="closing quotation"):
        editor_command({"EDITOR": "'vim"}, "f.py")


def test_an_editor_runs_in_the_foreground_and_its_code_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "written"
    script = f"import sys; open({str(file)!r}, 'w').write('x'); sys.exit(3)"
    assert run_editor([sys.executable, "-c", script]) == 3
    assert file.read_text() == "x"


def test_an_editor_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        run_editor(["there-is-no-such-editor"])
