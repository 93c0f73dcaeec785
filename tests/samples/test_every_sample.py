"""Every sample flow is compiled, checked by the command and by mypy, and run."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loom_runtime import (
    ConfigContext,
    LoomFrozenStruct,
    LoomStruct,
    Message,
    MessageMeta,
    StreamFlow,
    StreamingTestRunner,
    compile_flow,
)
from tests.samples.command import REPOSITORY, loom_bench

_FOLDER = REPOSITORY / "sample_flows"
_SAMPLES = sorted(path.stem for path in _FOLDER.glob("*.py"))
_CONFIG = ConfigContext.from_dict(
    {
        "kafka": {
            "consumer": {"brokers": ["localhost:9092"], "group_id": "samples"},
            "producer": {"brokers": ["localhost:9092"]},
        }
    }
)


@pytest.fixture(params=_SAMPLES)
def sample(request: pytest.FixtureRequest) -> ModuleType:
    """One sample's module."""
    return import_module(f"sample_flows.{request.param}")


def test_the_samples_of_the_readme_are_there() -> None:
    assert {"flights", "orders", "smallest"} <= set(_SAMPLES)


def test_sample_compiles_and_is_told_where_it_stands(sample: ModuleType) -> None:
    plan = compile_flow(_flow(sample), config=_CONFIG)
    assert plan.location is not None
    assert Path(plan.location.file) == Path(str(sample.__file__))
    assert all(node.location is not None for node in plan.nodes)


def test_sample_runs_over_its_own_feed_and_the_ledger_balances(sample: ModuleType) -> None:
    runner = StreamingTestRunner.from_flow(_flow(sample), config=_CONFIG)
    fed = [_message(item) for item in sample.bench_feed()]
    runner.with_messages(fed).run()
    assert runner.output
    assert runner.ledger is not None
    assert runner.ledger.balanced
    assert runner.ledger.total("consumed") == len(fed)
    assert runner.ledger.total("held") == 0


def test_the_check_command_finds_no_issue_in_the_samples() -> None:
    answer = loom_bench("check", "sample_flows")
    verdict = f"{len(_SAMPLES)} files, {len(_SAMPLES)} flows: no issues\n"
    assert (answer.stdout, answer.stderr, answer.returncode) == (verdict, "", 0)


@pytest.mark.timeout(300)
def test_samples_satisfy_mypy_strict() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "sample_flows"]
    answer = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=280, check=False
    )
    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")


def test_the_smallest_sample_has_ten_lines() -> None:
    lines = (_FOLDER / "smallest.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) == 10


def _flow(sample: ModuleType) -> StreamFlow[Any, Any]:
    flow = sample.flow
    assert isinstance(flow, StreamFlow)
    return flow


def _message(item: object) -> Message[Any] | bytes:
    """What a feed gives, as the test runner takes it."""
    if isinstance(item, LoomStruct | LoomFrozenStruct) and not isinstance(item, Message):
        return Message(payload=item, meta=MessageMeta(message_id="fed"))
    assert isinstance(item, Message | bytes)
    return item
