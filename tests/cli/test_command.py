"""The command itself: versions, help, how it fails, and what it keeps away from."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import loom_bench
from loom_bench.cli import unsupported
from tests.bench.modules import write_flow
from tests.cli.commands import environment, run

ROOT = Path(__file__).parent.parent.parent


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert loom_bench.__version__ == project["version"]
    done = run("--version")
    assert (done.code, done.out) == (0, f"loom-bench {loom_bench.__version__}\n")


def test_help_names_the_commands() -> None:
    for arguments in (["--help"], ["-h"], []):
        done = run(*arguments)
        text = done.out + done.err
        assert re.search(r"^  check +Compile every flow", text, re.MULTILINE)
        assert re.search(r"^  graph +Draw", text, re.MULTILINE)
        assert re.search(r"^  run +Run a flow", text, re.MULTILINE)
        assert "open" not in text.split("Commands:")[1]


def test_an_unknown_option_is_a_usage_error() -> None:
    done = run("run", "orders.py", "--no-such-option")
    assert done.code == 2
    assert "No such option" in done.err


@pytest.mark.parametrize("version", [(3, 10), (3, 13)])
def test_another_python_is_told_which_are_supported(version: tuple[int, int]) -> None:
    script = f"""
import sys
from collections import namedtuple
real = sys.version_info
sys.version_info = {version}
from loom_bench.cli import main
main()
"""
    done = subprocess.run(  # noqa: PLW1510 - the exit code is what is tested
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 2
    assert done.stderr == unsupported(version, sys.executable)  # type: ignore[no-untyped-call]
    assert f"this is {version[0]}.{version[1]}" in done.stderr


def test_the_entry_point_is_old_python_that_imports_nothing_of_ours() -> None:
    import ast  # noqa: PLC0415

    source = (ROOT / "workbench/loom_bench/cli/__init__.py").read_text()
    ast.parse(source, feature_version=(3, 7))
    assert "from __future__" not in source


def test_our_own_failure_is_one_line_and_a_private_file(tmp_path: Path) -> None:
    script = """
import loom_bench.cli.check as check
def fail(*_):
    raise RuntimeError("our \\x1b fault")
check.check_module = fail
from loom_bench.cli import main
main()
"""
    done = subprocess.run(  # noqa: PLW1510 - the exit code is what is tested
        [sys.executable, "-c", script, "check", str(write_flow(tmp_path))],
        capture_output=True,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
    )
    assert done.returncode == 70
    first, second = done.stderr.splitlines()
    assert first.endswith("RuntimeError: our \\x1b fault")
    (log,) = tmp_path.glob("loom-bench-*.log")
    assert str(log) in second
    assert log.stat().st_mode & 0o077 == 0
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("command", ["check", "graph", "run"])
def test_the_bench_process_never_imports_user_code_or_the_engine(
    command: str, tmp_path: Path
) -> None:
    script = """
import json, sys
from loom_bench.cli.app import run_command
code = run_command(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
    path = write_flow(tmp_path, "the_flow.py", more="def bench_feed(): return [Order(1)]\n")
    options = ["--max-records", "1"] if command == "run" else []
    done = subprocess.run(  # noqa: PLW1510 - the exit code is what is tested
        [sys.executable, "-c", script, command, str(path), *options],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    packages = {name.partition(".")[0] for name in modules}
    assert not packages & {"the_flow", "bytewax", "textual", "omegaconf", "prometheus_client"}
    if command != "run":
        assert "confluent_kafka" not in packages


def test_two_quick_commands_stay_quick() -> None:
    """`--version` needs click only."""
    script = """
import sys
from loom_bench.cli.app import run_command
run_command(["--version"])
heavy = {"msgspec", "loom_runtime", "confluent_kafka", "asyncio"} & set(sys.modules)
sys.exit(f"imports {heavy}" if heavy else 0)
"""
    done = subprocess.run(  # noqa: PLW1510 - the exit code is what is tested
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stderr) == (0, "")
