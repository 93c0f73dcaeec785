"""What may import what, and what a plain import of the runtime may load."""

import subprocess
import sys

import pytest

from tests.project.sources import REPOSITORY

_HEAVY = ("bytewax", "confluent_kafka", "textual", "click", "loom_bench")


def test_import_contracts_are_kept() -> None:
    # The module behind the command; its console entry point may not be on the path.
    code = "from importlinter.cli import lint_imports_command as main; main()"
    answer = _python(code, "--no-cache")
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import loom_runtime",
        "from loom_runtime import StreamFlow, FromTopic, IntoTopic, Process, RecordStep, Router",
        "from sample_flows import orders",
        "from loom_runtime import compile_flow, ConfigContext",
    ],
)
def test_declaring_flows_loads_neither_bytewax_nor_a_kafka_client(statement: str) -> None:
    assert _loaded_by(statement).isdisjoint(_HEAVY)


def test_the_runtime_loads_bytewax_and_kafka_when_a_flow_is_prepared() -> None:
    """The other way round: the test above would pass if it looked in the wrong place."""
    loaded = _loaded_by("import loom_runtime.engine.prepared")
    assert loaded.issuperset({"bytewax", "confluent_kafka"})
    assert loaded.isdisjoint({"textual", "click", "loom_bench"})


def test_the_session_loads_no_front_end() -> None:
    loaded = _loaded_by("import loom_bench.session.run")
    assert loaded.isdisjoint({"textual", "click"})


def test_help_loads_neither_bytewax_nor_a_kafka_client() -> None:
    code = "import loom_bench.cli.app as app; app.run_command(['--help'])"
    assert _loaded_by(code).isdisjoint({"bytewax", "confluent_kafka", "textual"})


def _loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after *statement*."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    answer = _python(code)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.splitlines()[-1].split())


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"import sys; sys.path[:0] = {[str(REPOSITORY / n) for n in ('runtime', 'workbench')]}"
    return subprocess.run(
        [sys.executable, "-c", f"{path}; {code}", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
