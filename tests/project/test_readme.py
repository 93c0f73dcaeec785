"""What the README says is so: its code runs, its commands print what it shows."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from loom_bench.cli import app
from loom_runtime import (
    ConfigContext,
    ErrorKind,
    KafkaSettings,
    LoomFrozenStruct,
    ObservabilityConfig,
    RuntimeSinkBinding,
    StreamFlow,
    StreamingRunner,
    StreamingTestRunner,
)
from sample_flows import orders
from tests.project.sources import REPOSITORY
from tests.samples.command import loom_bench

_README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
_LEFT_OUT = "…"
_MAKE_TARGETS = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _README, re.MULTILINE | re.DOTALL)


def _shown_commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of the README and the lines shown below it."""
    for block in _blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield command, lines


def test_the_first_code_is_the_smallest_sample_and_runs() -> None:
    code = _blocks("python")[0]
    assert code == (REPOSITORY / "sample_flows" / "smallest.py").read_text(encoding="utf-8")
    module = _module(code)
    assert isinstance(module.flow, StreamFlow)
    client = {"brokers": ["localhost:9092"]}
    kafka = {"consumer": {**client, "group_id": "readme"}, "producer": client}
    runner = StreamingTestRunner.from_flow(module.flow, config={"kafka": kafka})
    runner.with_payloads(module.bench_feed()).run()
    shouted = [message.payload.text for message in runner.output]
    assert shouted == [line.text.upper() for line in module.bench_feed()]


def test_the_test_that_it_shows_passes() -> None:
    module = _module(_blocks("python")[1])
    tests: list[Callable[[], None]] = [
        value for name, value in vars(module).items() if name.startswith("test_")
    ]
    assert len(tests) == 1
    tests[0]()


def test_there_is_no_other_code() -> None:
    assert len(_blocks("python")) == 2


@pytest.mark.parametrize(
    ("command", "lines"),
    [shown for shown in _shown_commands() if shown[0].startswith("loom-bench ")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_commands_print_what_is_shown(
    command: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As they are where no Docker is.
    monkeypatch.delenv("LOOM_BENCH_BROKER")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    answer = loom_bench(*command.split()[1:])
    assert (answer.returncode, answer.stderr) == (0, "")
    _assert_shown(lines, answer.stdout.splitlines())


def test_the_other_commands_are_targets_of_make() -> None:
    others = [each for each, _ in _shown_commands() if not each.startswith("loom-bench ")]
    targets = set(_MAKE_TARGETS.findall((REPOSITORY / "Makefile").read_text(encoding="utf-8")))
    assert others == ["make demo", "make test"]
    assert {command.split()[1] for command in others} <= targets


def test_benchmarks_that_it_names_are_there() -> None:
    names = re.findall(r"python -m benchmarks\.(\w+)", _README)
    assert {"throughput", "durability", "envelopes"} <= set(names)
    assert all((REPOSITORY / "benchmarks" / f"{name}.py").is_file() for name in names)


def test_options_that_it_names_are_those_of_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in ("run", "check", "graph", "errors redrive", "diff"):
        assert app.run_command([*command.split(), "--help"]) == 0
    helped = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", _README))
    assert named - {"--format"} <= helped
    assert {"--until-idle", "--broker", "--config", "--json"} <= named


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", _README)
    assert links
    assert [link for link in links if not (REPOSITORY / link).is_file()] == []


class _PagerSettings(LoomFrozenStruct, frozen=True):
    kinds: tuple[ErrorKind, ...]


class _Pager:
    sink_type: ClassVar[str] = "pager"
    config_type: ClassVar[type] = _PagerSettings

    @classmethod
    def build_binding(cls, cfg: _PagerSettings, ctx: ConfigContext) -> RuntimeSinkBinding:
        return RuntimeSinkBinding("errors", cls(), cfg.kinds)

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Any:
        raise NotImplementedError


def test_the_configuration_is_one_with_every_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BROKER", raising=False)
    file = tmp_path / "orders.yaml"
    file.write_text(_blocks("yaml")[0], encoding="utf-8")
    config = ConfigContext.from_yaml(file)
    assert set(config.keys()) == {"kafka", "streaming", "observability"}
    assert set(config.keys("streaming")) == {"runtime", "sinks"}
    kafka = config.section("kafka", KafkaSettings)
    assert kafka.consumer_for("orders").topics == ("orders.v1",)
    assert kafka.consumer_for("another").brokers == ("localhost:9092",)
    assert kafka.producer_for("another").librdkafka()["compression.type"] == "zstd"
    assert kafka.producer_for("orders.errors").librdkafka()["security.protocol"] == "SSL"
    assert config.section("observability", ObservabilityConfig).prometheus.enabled

    runner = StreamingRunner.from_yaml(orders.flow, str(file))
    runner.register_sink(_Pager)
    assert runner.plan.source.topics == ("orders.v1",)
    assert runner.plan.error_routes[ErrorKind.WIRE].topic == "orders.failed"
    assert runner.runtime.recovery is not None
    assert runner.runtime.recovery.db_dir == "state/orders"


def _module(code: str) -> ModuleType:
    """The code as a module, for declarations look at where they stand."""
    module = ModuleType("readme")
    exec(compile(code, "README.md", "exec"), vars(module))
    return module


def _assert_shown(shown: list[str], printed: list[str]) -> None:
    """Each shown line is printed, in order; lines are left out only where the README says so."""
    rest = list(map(_steady, printed))
    skipping = False
    for line in shown:
        if line == _LEFT_OUT:
            skipping = True
            continue
        assert _steady(line) in rest if skipping else rest[:1] == [_steady(line)]
        del rest[: rest.index(_steady(line)) + 1]
        skipping = False
    assert skipping or not rest


def _steady(line: str) -> str:
    """A line without what changes from run to run: the port, and how long it took."""
    return re.sub(r"127\.0\.0\.1:\d+|\d+\.\d s", "_", line)
