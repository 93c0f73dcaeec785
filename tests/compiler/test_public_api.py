"""The package's front door: every name is there, and nothing heavy comes with declarations."""

from __future__ import annotations

import subprocess
import sys

import pytest

import loom_runtime

IMPORT_LIMIT_MS = 100


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        env={"PYTHONPATH": "runtime"},
        timeout=60,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", loom_runtime.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(loom_runtime, name) is not None
    assert name in dir(loom_runtime)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="StreamFlew"):
        loom_runtime.StreamFlew  # noqa: B018


def test_declarations_import_neither_bytewax_nor_a_kafka_client() -> None:
    heavy = ("bytewax", "confluent_kafka", "omegaconf", "structlog", "prometheus_client", "anyio")
    code = f"import sys, loom_runtime; print([m for m in {heavy!r} if m in sys.modules])"
    assert run_python(code) == "[]"


def test_declarations_import_quickly() -> None:
    code = (
        "import time; started = time.perf_counter(); import loom_runtime; "
        "print(round((time.perf_counter() - started) * 1000))"
    )
    # The quickest of three: other tests share the machine.
    assert min(int(run_python(code)) for _ in range(3)) < IMPORT_LIMIT_MS


def test_compiling_imports_neither_bytewax_nor_a_kafka_client() -> None:
    code = (
        "import sys; from loom_runtime import compile_flow; "
        "print([m for m in ('bytewax', 'confluent_kafka') if m in sys.modules])"
    )
    assert run_python(code) == "[]"
