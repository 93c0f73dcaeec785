"""The flights flow gives what plain Python gives, wherever it runs."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, Producer

from loom_bench.broker import topics as broker_topics
from loom_bench.broker.embedded import EmbeddedBroker
from loom_runtime import ErrorKind, StreamingRunner, StreamingTestRunner
from loom_runtime.ledger import LedgerReport
from sample_flows import flights
from tests.broker_fixtures import Topics
from tests.samples import flight_oracle as oracle
from tests.samples.command import run_json
from tests.samples.rows import Row, by_key, multiset, row_of

_SOURCE = "flights"
_PARTITIONS = 4
_KAFKA = {
    "consumer": {"brokers": ["localhost:9092"], "group_id": "flights", "topics": ["flights"]},
    "producer": {"brokers": ["localhost:9092"]},
}
_REASON = "the flight has no departure time"


def test_flights_in_the_test_runner_equal_the_oracle() -> None:
    runner = StreamingTestRunner.from_flow(flights.flow, config={"kafka": _KAFKA})
    runner.with_messages(flights.bench_feed()).run()

    written: dict[type, list[Row]] = {}
    for message in runner.output:
        written.setdefault(type(message.payload), []).append(row_of(message.payload))
    outputs = oracle.expected().outputs
    _assert_same_by_carrier(written[flights.CarrierRecord], outputs[oracle.PER_CARRIER])
    assert multiset(written[flights.HourlyDepartures]) == multiset(outputs[oracle.PER_HOUR])
    routed = [*oracle.ROUTES.values(), oracle.OTHERS]
    departures = [row for topic in routed for row in outputs[topic]]
    _assert_same_by_carrier(written[flights.Departure], departures)
    _assert_envelopes([row_of(envelope) for envelope in runner.errors[ErrorKind.BUSINESS]])
    assert runner.errors.keys() == {ErrorKind.BUSINESS}
    assert runner.ledger is not None
    _assert_ledger(runner.ledger.totals() | {"balanced": runner.ledger.balanced})


def test_flights_on_the_embedded_broker_equal_the_oracle(topics: Topics) -> None:
    physical = {
        name: topics.create(name, partitions=_PARTITIONS) for name in (_SOURCE, *oracle.OUTPUTS)
    }
    _feed(topics.bootstrap, physical[_SOURCE])
    brokers = [topics.bootstrap]
    kafka = {
        "consumer": {"brokers": brokers, "group_id": "flights", "topics": [physical[_SOURCE]]},
        "producers": {
            name: {"brokers": brokers, "topic": physical[name]} for name in oracle.OUTPUTS
        },
    }
    runner = StreamingRunner.from_dict(flights.flow, {"kafka": kafka})
    runner.control.until_idle_ms = 500
    runner.run()

    report = runner.last_report()
    assert report is not None
    _assert_ledger(report.totals() | {"balanced": report.balanced})
    _assert_committed(report)
    _assert_topics({name: _rows(topics, physical[name]) for name in oracle.OUTPUTS})


def test_flights_run_by_the_command_end_with_the_ledger() -> None:
    lines = run_json("sample_flows/flights.py", "--until-idle", "2")

    last = lines[-1]
    assert last["type"] == "ledger"
    _assert_ledger(last)
    assert len(last["partitions"]) == _PARTITIONS
    (errors,) = [line for line in lines if line["type"] == "errors"]
    (group,) = errors["groups"]
    assert (group["kind"], group["node"], group["reason"]) == ("business", "Validate", _REASON)
    assert group["count"] == oracle.NEVER_LEFT


def test_flights_run_by_the_command_on_another_broker_equal_the_oracle() -> None:
    with EmbeddedBroker.start() as broker:
        names = (_SOURCE, *oracle.OUTPUTS)
        broker_topics.create_topics(broker.bootstrap, dict.fromkeys(names, _PARTITIONS))
        _feed(broker.bootstrap, _SOURCE)
        arguments = ("--broker", broker.bootstrap, "--until-idle", "2")
        last = run_json("sample_flows/flights.py", *arguments)[-1]

        assert last["type"] == "ledger"
        _assert_ledger(last)
        topics = Topics(broker.bootstrap)
        _assert_topics({name: _rows(topics, name) for name in oracle.OUTPUTS})


@pytest.mark.parametrize("topic", [oracle.PER_HOUR, *oracle.ROUTES.values(), oracle.OTHERS])
def test_the_flight_oracle_has_something_to_say_about_every_topic(topic: str) -> None:
    assert len(oracle.expected().outputs[topic]) > 1_000


def _feed(bootstrap: str, topic: str) -> None:
    """Write the flights, keyed by carrier, with the scheduled hour as their event time."""
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for key, value, timestamp_ms in oracle.records():
        producer.produce(topic, value, key, timestamp=timestamp_ms, on_delivery=delivered)
    assert producer.flush(30) == 0
    assert not failures


def _rows(topics: Topics, topic: str) -> list[Row]:
    rows: list[Row] = []
    for record in topics.read(topic):
        assert record.value is not None
        rows.append(json.loads(record.value))
    return rows


def _assert_topics(found: Mapping[str, list[Row]]) -> None:
    for topic, wanted in oracle.expected().outputs.items():
        if topic == oracle.PER_HOUR:
            assert multiset(found[topic]) == multiset(wanted)
        else:
            _assert_same_by_carrier(found[topic], wanted)
    _assert_envelopes(found[oracle.ERRORS])


def _assert_same_by_carrier(found: Iterable[Row], wanted: Iterable[Row]) -> None:
    """A carrier is a record key, so its rows keep their order."""
    assert by_key(found, _carrier) == by_key(wanted, _carrier)


def _carrier(row: Row) -> str:
    return str(row["carrier"])


def _assert_envelopes(envelopes: list[Row]) -> None:
    originals = [envelope["original_message"]["payload"] for envelope in envelopes]
    assert multiset(originals) == multiset(oracle.expected().never_left)
    causes = {
        (envelope["kind"], envelope["reason"], envelope["node"], envelope["flow"])
        for envelope in envelopes
    }
    assert causes == {("business", _REASON, "Validate", "flights")}
    places = Counter(
        (meta["topic"], meta["partition"], meta["offset"])
        for meta in (envelope["original_message"]["meta"] for envelope in envelopes)
    )
    # The test runner's messages come from no topic.
    assert set(places) == {(None, None, None)} or places.total() == len(places)


def _assert_ledger(totals: Mapping[str, Any]) -> None:
    departed = oracle.FLIGHTS - oracle.NEVER_LEFT
    counted = {
        "consumed": oracle.FLIGHTS,
        "written": departed,
        "errored": oracle.NEVER_LEFT,
        "filtered": 0,
        "dead_lettered": 0,
        "held": 0,
        "late": 0,
        "records_written": sum(map(len, oracle.expected().outputs.values())),
        "envelopes_written": oracle.NEVER_LEFT,
        "dead_letters_written": 0,
        "balanced": True,
    }
    assert {name: totals[name] for name in counted} == counted


def _assert_committed(report: LedgerReport) -> None:
    assert len(report.partitions) == _PARTITIONS
    for row in report.partitions:
        assert row.consumed == row.position == row.committed == row.end_offset
