"""Contract, rows on ``StreamingTestRunner``: unit tests of flows without a broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    ConfigContext,
    DomainError,
    ErrorKind,
    ForEach,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    Process,
    RecordStep,
    StreamFlow,
    StreamingTestRunner,
)
from loom_runtime.failures import RunError

CONFIG = {
    "kafka": {
        "consumer": {"brokers": ["localhost:9092"], "group_id": "tests"},
        "producer": {"brokers": ["localhost:9092"]},
    }
}


class Word(LoomFrozenStruct, frozen=True):
    """A word."""

    text: str


class Spell(RecordStep[Word, Word]):
    def execute(self, message: Message[Word]) -> Word:
        if message.payload.text == "rude":
            raise DomainError("not here")
        return Word(message.payload.text[int(message.payload.text == "slip") * 9].upper())


FLOW: StreamFlow[Word, Word] = StreamFlow(
    "spelling",
    FromTopic("words", payload=Word),
    Process(Spell),
    IntoTopic("spelt", payload=Word),
)


def spelt(runner: StreamingTestRunner) -> list[str]:
    return [message.payload.text for message in runner.output]


def test_streaming_test_runner_from_flow_takes_a_mapping_or_a_context() -> None:
    for config in (CONFIG, ConfigContext.from_dict(CONFIG)):
        runner = StreamingTestRunner.from_flow(FLOW, config=config)
        runner.with_payloads([Word("tea")]).run()
        assert spelt(runner) == ["T"]


def test_streaming_test_runner_from_yaml_and_from_dict(tmp_path: Path) -> None:
    file = tmp_path / "spelling.yaml"
    OmegaConf.save(CONFIG, file)
    for runner in (
        StreamingTestRunner.from_yaml(FLOW, str(file)),
        StreamingTestRunner.from_dict(FLOW, CONFIG),
    ):
        runner.with_payloads([Word("tea")]).run()
        assert spelt(runner) == ["T"]


def test_streaming_test_runner_every_setter_returns_the_runner() -> None:
    runner = StreamingTestRunner.from_flow(FLOW, config=CONFIG)
    assert runner.with_payloads([]) is runner
    assert runner.with_messages([]) is runner
    assert runner.capture_errors(ErrorKind.WIRE) is runner
    assert runner.reset() is runner


def test_streaming_test_runner_with_messages_takes_messages_and_raw_records() -> None:
    meta = MessageMeta(message_id="m", key=b"k", correlation_id="c")
    runner = StreamingTestRunner.from_flow(FLOW, config=CONFIG)
    runner.with_messages(
        [
            Message(payload=Word("as it is"), meta=meta),
            b'{"text": "value"}',
            (b"key", b'{"text": "with key"}'),
            (b"key", b'{"text": "headers"}', [("x-trace-id", b"0" * 32)]),
        ]
    ).run()
    assert spelt(runner) == ["A", "V", "W", "H"]
    given, _, keyed, traced = (message.meta for message in runner.output)
    assert (given.key, given.correlation_id) == (b"k", "c")
    assert keyed.key == b"key"
    assert traced.trace_id == "0" * 32


def test_streaming_test_runner_output_has_every_terminal_sink() -> None:
    flow: StreamFlow[Word, Word] = StreamFlow(
        "copies",
        FromTopic("words", payload=Word),
        Process(
            Broadcast(
                BroadcastRoute(Process(Spell), IntoTopic("one", payload=Word)),
                BroadcastRoute(Process(Spell, IntoTopic("two", payload=Word))),
            )
        ),
    )
    runner = StreamingTestRunner.from_flow(flow, config=CONFIG).with_payloads([Word("tea")])
    runner.run()
    assert spelt(runner) == ["T", "T"]


def test_streaming_test_runner_errors_are_envelopes_by_kind_wire_included() -> None:
    runner = StreamingTestRunner.from_flow(FLOW, config=CONFIG).capture_errors()
    runner.with_payloads([Word("rude"), Word("slip"), Word("tea")])
    runner.with_messages([b"poison"]).run()
    reasons = {kind: [each.reason for each in found] for kind, found in runner.errors.items()}
    assert reasons[ErrorKind.BUSINESS] == ["not here"]
    assert len(reasons[ErrorKind.TASK]) == len(reasons[ErrorKind.WIRE]) == 1
    assert runner.errors[ErrorKind.WIRE][0].raw == b"poison"
    assert reasons[ErrorKind.ROUTING] == []
    assert spelt(runner) == ["T"]


def test_streaming_test_runner_an_error_that_nobody_takes_fails_the_run() -> None:
    runner = StreamingTestRunner.from_flow(FLOW, config=CONFIG)
    runner.capture_errors(ErrorKind.WIRE).with_payloads([Word("rude")])
    with pytest.raises(RunError, match="business error"):
        runner.run()


def test_streaming_test_runner_hands_on_what_is_held() -> None:
    process = Process(CollectBatch(max_records=100, timeout_ms=60_000), ForEach(), Spell)
    flow: StreamFlow[Word, Word] = StreamFlow(
        "held", FromTopic("words", payload=Word), process, IntoTopic("spelt", payload=Word)
    )
    runner = StreamingTestRunner.from_flow(flow, config=CONFIG).with_payloads([Word("tea")])
    runner.run()
    assert spelt(runner) == ["T"]
    assert runner.ledger is not None
    assert runner.ledger.balanced


def test_streaming_test_runner_reset_forgets_input_and_output() -> None:
    runner = StreamingTestRunner.from_flow(FLOW, config=CONFIG).capture_errors()
    runner.with_payloads([Word("tea"), Word("rude")]).run()
    runner.reset()
    assert (runner.output, runner.ledger) == ([], None)
    assert not any(runner.errors.values())
    runner.with_payloads([Word("mug")]).run()
    assert spelt(runner) == ["M"]
