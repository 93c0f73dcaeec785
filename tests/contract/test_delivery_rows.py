"""Contract, the row on delivery that the delivery tests do not name: durable partition keys."""

from __future__ import annotations

from pathlib import Path

from loom_runtime import (
    FromTopic,
    IntoTopic,
    LoomStruct,
    Message,
    Process,
    RecordStep,
    StreamFlow,
    StreamingRunner,
)
from loom_runtime.recovery.positions import read_positions
from tests.broker_fixtures import NewRecord, Topics


class Word(LoomStruct):
    text: str


class Polite(RecordStep[Word, Word]):
    def execute(self, message: Message[Word]) -> Word:
        return message.payload


FLOW: StreamFlow[Word, Word] = StreamFlow(
    "polite",
    FromTopic("words", payload=Word),
    Process(Polite),
    IntoTopic("polite", payload=Word),
)


def test_delivery_partition_state_keys_are_topic_colon_partition(
    topics: Topics, tmp_path: Path
) -> None:
    source, output = topics.create("words", partitions=2), topics.create("polite")
    records = [NewRecord(b'{"text": "tea?"}', partition=number) for number in (0, 1, 1)]
    topics.produce(source, records)
    store, brokers = tmp_path / "store", [topics.bootstrap]
    config = {
        "kafka": {
            "consumer": {"brokers": brokers, "group_id": source, "topics": [source]},
            "producer": {"brokers": brokers, "topic": output},
        },
        "streaming": {"runtime": {"recovery": {"db_dir": str(store), "partitions": 2}}},
    }
    runner = StreamingRunner.from_dict(FLOW, config)
    runner.control.until_idle_ms = 100
    runner.run()
    positions = {key: position.offset for key, position in read_positions(store).items()}
    assert positions == {f"{source}:0": 1, f"{source}:1": 2}
