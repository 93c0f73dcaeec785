"""Small flows run through the test kit: payloads, configuration, one call that runs and checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loom_runtime import (
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    ObservabilityRuntime,
    Process,
    ProcessNode,
    RecordStep,
    StreamFlow,
    StreamingTestRunner,
)


class Item(LoomFrozenStruct, frozen=True):
    """What most of these flows read."""

    id: str
    value: int = 0


class Result(LoomFrozenStruct, frozen=True):
    """What most of these flows write."""

    id: str
    text: str = ""


class Upper(RecordStep[Item, Result]):
    """An ordinary step."""

    def execute(self, message: Message[Item]) -> Result:
        return Result(message.payload.id.upper())


class Pass(RecordStep[Any, Any]):
    """Gives what it gets."""

    def execute(self, message: Message[Any]) -> Any:
        return message.payload


def config_of(*, delivery: str = "at_least_once", **sections: Any) -> dict[str, Any]:
    """Return a configuration that compiles; its brokers are never called."""
    return {
        "kafka": {
            "consumer": {"brokers": ["none:9092"], "group_id": "nodes", "delivery": delivery},
            "producer": {"brokers": ["none:9092"]},
        },
        **sections,
    }


def flow_of(
    *nodes: ProcessNode, output: bool = True, errors: Any = None, source: Any = None
) -> StreamFlow[Any, Any]:
    """Return a flow of *nodes* from topic ``in`` to topic ``out``."""
    sink: IntoTopic[Any] | None = IntoTopic("out") if output else None
    return StreamFlow(
        "nodes", source or FromTopic("in", payload=Item), Process(*nodes), sink, errors
    )


def runner_of(
    *nodes: ProcessNode,
    output: bool = True,
    errors: Any = None,
    source: Any = None,
    config: dict[str, Any] | None = None,
    observability_runtime: ObservabilityRuntime | None = None,
) -> StreamingTestRunner:
    """Return a test runner of *nodes* that captures every error kind."""
    return StreamingTestRunner.from_flow(
        flow_of(*nodes, output=output, errors=errors, source=source),
        config=config or config_of(),
        observability_runtime=observability_runtime,
    ).capture_errors()


def run(runner: StreamingTestRunner, given: Iterable[Any]) -> StreamingTestRunner:
    """Give *runner* payloads or messages, run it and check that every record is accounted for."""
    for each in given:
        if isinstance(each, Message | bytes | tuple):
            runner.with_messages([each])
        else:
            runner.with_payloads([each])
    runner.run()
    check_ledger(runner)
    return runner


def check_ledger(runner: StreamingTestRunner) -> None:
    """Check that the ledger balances and counts what the runner captured."""
    report = runner.ledger
    assert report is not None
    assert report.balanced, report
    assert report.total("held") == 0
    assert report.total("records_written") == len(runner.output)
    assert report.total("envelopes_written") == sum(len(each) for each in runner.errors.values())


def items(*ids: str) -> list[Item]:
    """Return one item an id."""
    return [Item(each, number) for number, each in enumerate(ids)]


def at(time_ms: int | None, payload: Any = None, **fields: Any) -> Message[Any]:
    """Return a message produced at *time_ms*."""
    return Message(
        payload=payload or Item(str(time_ms)),
        meta=MessageMeta(message_id=str(time_ms), produced_at_ms=time_ms, **fields),
    )


def ids(runner: StreamingTestRunner) -> list[str]:
    """Return the ids of the output's payloads."""
    return [message.payload.id for message in runner.output]
