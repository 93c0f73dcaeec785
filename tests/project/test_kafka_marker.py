"""A machine without Java says which Kafka tests it skips; one with Java and Maven may not skip."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kafka_fixtures import REQUIRED
from tests.project.sources import REPOSITORY

_TEST = "tests/test_kafka_node.py::test_an_unknown_topic_is_not_made_on_request"
_JAVA = """echo 'openjdk version "17"' >&2"""
_BROKEN_MAVEN = "echo '[ERROR] Could not transfer artifact x'; exit 1"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs one test that is marked kafka, on a machine with these commands and no others."""

    def run_one(required: str, **commands: str) -> subprocess.CompletedProcess[str]:
        for name, script in commands.items():
            (tmp_path / name).write_text(f"#!{shutil.which('sh')}\n{script}\n")
            (tmp_path / name).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
        machine = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), REQUIRED: required}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", _TEST],
            cwd=REPOSITORY,
            env={**kept, **machine},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run_one


@pytest.mark.parametrize("required", ["", "1"])
def test_without_java_the_skipped_test_is_named_before_the_closing_line(
    run: Run, required: str
) -> None:
    answer = run(required)
    *_, summary, closing = answer.stdout.splitlines()
    assert answer.returncode == 0
    assert summary.startswith("SKIPPED")
    assert _TEST in summary
    assert "no real Apache Kafka: no Java 17" in summary
    assert "1 skipped" in closing


def test_with_java_and_a_maven_that_fails_ci_fails(run: Run) -> None:
    answer = run("1", java=_JAVA, mvn=_BROKEN_MAVEN)
    assert answer.returncode == 1
    assert "Could not transfer artifact x" in answer.stdout
    assert REQUIRED in answer.stdout
    assert "1 error" in answer.stdout.splitlines()[-1]


def test_with_java_and_a_maven_that_fails_others_skip(run: Run) -> None:
    answer = run("", java=_JAVA, mvn=_BROKEN_MAVEN)
    assert answer.returncode == 0
    assert "1 skipped" in answer.stdout.splitlines()[-1]
