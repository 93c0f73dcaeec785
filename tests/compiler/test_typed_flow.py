"""A flow of every node kind compiles and passes a strict type checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loom_runtime import NodeKind, compile_flow
from tests.compiler.typed_flow import CONFIG, multiple, pricing, splitting

ROOT = Path(__file__).parents[2]


def test_every_node_kind_compiles() -> None:
    plans = [compile_flow(flow, config=CONFIG) for flow in (pricing, splitting, multiple)]
    assert {node.kind for plan in plans for node in plan.nodes} == set(NodeKind)
    assert plans[0].needs_async_bridge
    assert not plans[1].needs_async_bridge


@pytest.mark.timeout(240)
def test_the_flow_passes_mypy_strict(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--follow-imports=silent",
            f"--cache-dir={tmp_path}",
            "tests/compiler/typed_flow.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout
