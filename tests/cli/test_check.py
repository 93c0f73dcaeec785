"""``loom-bench check``: places that editors understand, and an exit code for CI."""

from pathlib import Path

from tests.bench.modules import line_of, write_flow, write_module
from tests.cli.commands import run

WRONG = """
from loom_runtime import Drain, ForEach
second = StreamFlow("second", flow.source, Process(ForEach(), Drain()))
"""


def test_flows_that_are_right(tmp_path: Path) -> None:
    done = run("check", write_flow(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert done.out == "1 file, 1 flow: no issues\n"


def test_issues_are_shown_with_place_source_and_remedy(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more=WRONG)
    done = run("check", "orders.py", cwd=tmp_path)
    assert done.code == 1
    lines = done.out.splitlines()
    place = f"orders.py:{line_of(path, 'second =')}"
    assert lines[0].startswith(f"{place}: shape_mismatch: ForEach: it takes batches")
    assert lines[1].endswith(
        '| second = StreamFlow("second", flow.source, Process(ForEach(), Drain()))'
    )
    assert lines[2].strip().startswith("→ put CollectBatch")
    assert lines[-1] == "1 file, 2 flows: 1 issue"


def test_a_folder_is_searched_for_flows(tmp_path: Path) -> None:
    write_flow(tmp_path / "a", "orders.py")
    write_flow(tmp_path / "b" / "deep", "refunds.py", more=WRONG)
    write_module(tmp_path, "b/helpers.py", "raise RuntimeError('not a flow, not imported')")
    write_module(tmp_path, "b/makes.py", "def make():\n    return 'StreamFlow'\n")
    write_module(tmp_path, ".venv/x.py", "StreamFlow = 1 / 0")
    write_module(tmp_path, "env/pyvenv.cfg", "")
    write_module(tmp_path, "env/x.py", "StreamFlow = 1 / 0")
    write_module(tmp_path, "b/__pycache__/x.py", "StreamFlow = 1 / 0")
    done = run("check", tmp_path)
    assert done.code == 1
    assert done.out.splitlines()[-1] == "2 files, 3 flows: 1 issue"
    assert "refunds.py" in done.out


def test_each_file_is_imported_in_a_process_of_its_own(tmp_path: Path) -> None:
    write_flow(tmp_path, "one.py", more="import sys; sys.modules['json'] = None")
    write_flow(tmp_path, "two.py", more="import json; json.dumps(1)")
    assert run("check", tmp_path).code == 0


def test_json_lines(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more=WRONG)
    done = run("check", path, tmp_path / "gone.py", "--json")
    assert done.code == 1
    first, second, summary = done.lines
    assert (first["type"], first["code"], first["file"]) == ("issue", "shape_mismatch", str(path))
    assert first["line"] == line_of(path, "second =")
    assert second["code"] == "file_not_found"
    assert summary == {"type": "summary", "files": 2, "flows": 2, "issues": 2}


def test_a_hostile_module_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    text = "raise RuntimeError('\\x1b]0;title\\x07[/bold]\\u202e\\ud800')"
    done = run("check", write_module(tmp_path, "orders.py", text))
    assert done.code == 1
    assert "\\x1b]0;title\\x07[/bold]\\u202e\\ud800" in done.out
    assert "\x1b" not in done.out


def test_a_time_limit_of_ones_own(tmp_path: Path) -> None:
    path = write_module(tmp_path, "orders.py", "import time\ntime.sleep(600)\n")
    done = run("check", path, "--load-timeout", "0.5")
    assert done.code == 1
    assert ":2: import_timed_out: " in done.out


def test_no_path_is_a_usage_error() -> None:
    done = run("check")
    assert done.code == 2
    assert "Missing argument" in done.err
