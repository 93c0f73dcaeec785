"""Records that cannot be delivered go to the dead-letter topic or end the run; none is lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from loom_bench.broker.mock import MockBroker, RequestKind
from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    ErrorEnvelope,
    IntoTopic,
    Process,
)
from loom_runtime.failures import DeliveryError
from loom_runtime.ledger import LedgerReport
from tests.broker_fixtures import NewRecord, ReadRecord
from tests.delivery.checks import ids
from tests.delivery.flows import Check, Copies, Flow, Item, flow, items
from tests.delivery.places import Place
from tests.delivery.running import run_to_end

REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED
TO_OUT: IntoTopic[Any] = IntoTopic("out", dlq="dlq")


def prepare(place: Place, records: list[NewRecord]) -> None:
    """Make the topics and fill the source."""
    source = place.topic("items")
    for reference in ("out", "errors", "dlq"):
        place.topic(reference)
    place.topics.produce(source, records)


def with_dlq(place: Place, *, errors_too: bool = False) -> Flow:
    """A flow whose sinks name the physical dead-letter topic."""
    dlq = place.names["dlq"]
    errors: IntoTopic[Any] = IntoTopic(
        "errors", payload=ErrorEnvelope[Item], dlq=dlq if errors_too else None
    )
    return flow(Check, output=IntoTopic("out", dlq=dlq), errors=errors)


def header(record: ReadRecord, name: str) -> bytes | None:
    return dict(record.headers).get(name)


def assert_fates(report: LedgerReport, **counts: int) -> None:
    assert report.balanced
    assert {name: report.total(name) for name in counts} == counts, report


def test_a_refused_batch_goes_to_the_dlq_with_the_reason(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, items(40))
    broker.push_request_errors(RequestKind.PRODUCE, [REFUSED])
    run = run_to_end(with_dlq(place), place.config())
    assert ids(place, "out") == []
    letters = place.read("dlq")
    assert ids(place, "dlq") == list(range(40))
    for letter, source in zip(letters, place.read("items"), strict=True):
        assert (letter.key, letter.value) == (source.key, source.value)
        assert b"Topic authorization failed" in (header(letter, "x-dlq-error") or b"")
    assert_fates(run.last, dead_lettered=40, dead_letters_written=40, written=0)
    assert place.committed() == {0: 40}


def test_the_letter_keeps_key_and_headers_of_the_record(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    value = msgspec.json.encode(Item(1))
    prepare(
        place,
        [
            NewRecord(value, b"same", [("x-correlation-id", b"first")]),
            NewRecord(value, b"same", [("x-correlation-id", b"second")]),
        ],
    )
    broker.push_request_errors(RequestKind.PRODUCE, [REFUSED])
    run_to_end(with_dlq(place), place.config())
    letters = place.read("dlq")
    assert [header(letter, "x-correlation-id") for letter in letters] == [b"first", b"second"]
    assert {letter.key for letter in letters} == {b"same"}


def test_without_a_dlq_the_run_fails_and_nothing_past_it_is_committed(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, items(40))
    broker.push_request_errors(RequestKind.PRODUCE, [REFUSED])
    with pytest.raises(DeliveryError, match="40 record") as raised:
        run_to_end(flow(Check), place.config())
    assert "Topic authorization failed" in raised.value.what
    assert place.names["out"] in raised.value.what
    assert "dlq=" in raised.value.what_next
    assert place.committed()[0] in {None, 0}
    # Started again, nothing is missing.
    run_to_end(flow(Check), place.config())
    assert ids(place, "out") == list(range(40))


def test_when_the_dlq_refuses_too_the_run_fails(faulty: tuple[Place, MockBroker]) -> None:
    place, broker = faulty
    prepare(place, items(40))
    broker.push_request_errors(RequestKind.PRODUCE, [REFUSED, REFUSED])
    with pytest.raises(DeliveryError, match="dead-letter topic") as raised:
        run_to_end(with_dlq(place), place.config())
    assert place.names["dlq"] in raised.value.what
    assert place.committed()[0] in {None, 0}


def test_an_error_topic_that_refuses_ends_the_run_or_has_a_dlq_of_its_own(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, items(40, kind=lambda _: "task"))
    broker.push_request_errors(RequestKind.PRODUCE, [REFUSED])
    with pytest.raises(DeliveryError):
        run_to_end(with_dlq(place), place.config())
    assert place.committed()[0] in {None, 0}
    broker.push_request_errors(RequestKind.PRODUCE, [REFUSED])
    run = run_to_end(with_dlq(place, errors_too=True), place.config())
    assert_fates(run.last, errored=0, dead_lettered=40, envelopes_written=0)
    decode = msgspec.json.Decoder(ErrorEnvelope[Item]).decode
    envelopes = [decode(letter.value or b"") for letter in place.read("dlq")]
    assert [e.original_message and e.original_message.payload.id for e in envelopes] == list(
        range(40)
    )
    assert place.committed() == {0: 40}


def test_one_dead_copy_of_a_record_makes_it_dead_lettered(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, items(10))
    dlq = place.names["dlq"]
    twice = flow(
        Broadcast(
            BroadcastRoute(Process(Check), IntoTopic("out", dlq=dlq)),
            BroadcastRoute(Process(Check), IntoTopic("errors", dlq=dlq)),
        ),
        output=None,
        errors=None,
    )
    # The client sends one request after the other, a topic each.
    broker.push_request_errors(RequestKind.PRODUCE, [REFUSED])
    run = run_to_end(twice, place.config())
    there = {reference: len(place.read(reference)) for reference in ("out", "errors", "dlq")}
    assert sorted(there.values()) == [0, 10, 10]
    assert there["dlq"] == 10
    assert_fates(run.last, dead_lettered=10, written=0, dead_letters_written=10)


def test_a_record_that_is_too_large_for_the_client_is_told(embedded: Place) -> None:
    prepare(embedded, [NewRecord(msgspec.json.encode(Item(1, kind="y" * 3_000)))])
    config = embedded.config(producer={"extra": {"message.max.bytes": 2_000}})
    # The client refuses the letter as well.
    with pytest.raises(DeliveryError, match="too large"):
        run_to_end(with_dlq(embedded), config)
    assert embedded.committed()[0] in {None, 0}
    assert embedded.read("out") == []


@pytest.mark.kafka
def test_a_record_that_is_too_large_for_its_topic_goes_to_the_dlq(real_kafka: Place) -> None:
    place = real_kafka
    prepare(place, items(20))
    large = msgspec.json.encode(Item(99, kind="y" * 3_000))
    place.topics.produce(place.names["items"], [NewRecord(large)])
    place.topics.produce(place.names["items"], items(20, start=20))
    small = NewTopic(f"{place.names['out']}-small", 1, 1, config={"max.message.bytes": "2000"})
    admin = AdminClient({"bootstrap.servers": place.bootstrap})
    admin.create_topics([small])[small.topic].result(10)
    place.names["out"] = small.topic
    # One record a request: what a broker refuses it refuses whole.
    run = run_to_end(with_dlq(place), place.config(producer={"extra": {"batch.num.messages": 1}}))
    assert ids(place, "out") == list(range(40))
    assert ids(place, "dlq") == [99]
    assert b"too large" in (header(place.read("dlq")[0], "x-dlq-error") or b"")
    assert_fates(run.last, written=40, dead_lettered=1, dead_letters_written=1)
    assert place.committed() == {0: 41}


def test_a_full_client_queue_waits_for_the_broker(place: Place) -> None:
    prepare(place, items(100, kind=lambda _: "x3"))
    config = place.config(
        consumer={"batch_size": 100}, producer={"extra": {"queue.buffering.max.messages": 10}}
    )
    run = run_to_end(flow(Copies), config)
    assert ids(place) == [index for index in range(100) for _ in range(3)]
    assert_fates(run.last, written=100, records_written=300)


def test_a_record_that_is_not_acknowledged_in_time_is_not_delivered(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, items(40))
    config = place.config(producer={"extra": {"message.timeout.ms": 300}})
    broker.push_request_errors(RequestKind.PRODUCE, [KafkaError.REQUEST_TIMED_OUT] * 1_000)
    with pytest.raises(DeliveryError, match="40 record") as raised:
        run_to_end(flow(Check), config)
    assert "timed out" in raised.value.what.lower()
    assert place.committed()[0] in {None, 0}
