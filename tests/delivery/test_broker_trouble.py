"""Brokers that go away, come back, or come back empty while a flow runs."""

from __future__ import annotations

import time

import pytest
from structlog.testing import capture_logs

from loom_bench.broker.mock import DROP_CONNECTION, MockBroker, RequestKind
from loom_runtime.failures import BrokerUnavailableError, PositionLostError, RunError
from tests.delivery.checks import assert_balanced, assert_nothing_lost, expected, fates, ids
from tests.delivery.flows import items, plain, sorted_away
from tests.delivery.places import Place
from tests.delivery.running import running
from tests.delivery.test_kill import kind_of
from tests.kafka_node import KafkaNode


def prepare(place: Place, count: int = 2_000) -> None:
    """Make the topics and fill the source."""
    source = place.topic("items", partitions=2)
    place.topic("out", partitions=2)
    place.topic("errors")
    place.topics.produce(source, items(count, partitions=2, kind=kind_of))


def test_lost_connections_lose_no_record(faulty: tuple[Place, MockBroker]) -> None:
    place, broker = faulty
    prepare(place)
    with running(sorted_away(), place.config(), until_idle_ms=1_500) as run:
        for _ in range(3):
            run.reports.wait_for_consumed(1)
            broker.set_broker_down()
            time.sleep(0.05)  # some of what is under way finds the broker gone
            broker.set_broker_up()
            time.sleep(0.05)
        run.wait()
    assert_nothing_lost(fates(place), expected(items(2_000, partitions=2, kind=kind_of)))
    assert_balanced(run.reports.all())
    assert place.committed() == place.ends("items")


@pytest.mark.kafka
def test_a_broker_that_is_killed_and_restarted_loses_no_record(
    real_kafka: Place, kafka_node: KafkaNode
) -> None:
    prepare(real_kafka)
    with running(sorted_away(), real_kafka.config(), until_idle_ms=1_500) as run:
        run.reports.wait_for_consumed(1)
        kafka_node.kill()
        kafka_node.restart()
        run.wait()
    assert_nothing_lost(fates(real_kafka), expected(items(2_000, partitions=2, kind=kind_of)))
    assert_balanced(run.reports.all())
    assert real_kafka.committed() == real_kafka.ends("items")


def test_a_drain_without_a_broker_ends_and_says_what_was_not_committed(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, 40)
    with running(plain(), place.config()) as run:
        run.reports.wait_for_consumed(40)
        # Answers come, but those to the last commit.
        broker.push_request_errors(RequestKind.OFFSET_COMMIT, [DROP_CONNECTION] * 1_000)
        place.topics.produce(place.names["items"], items(10, start=40, partitions=2))
        run.reports.wait_for_consumed(50)
        began_s = time.monotonic()
        run.control.drain()
        with pytest.raises(BrokerUnavailableError, match="cannot be committed") as raised:
            run.wait()
    assert time.monotonic() - began_s < 15
    assert place.names["items"] in raised.value.what
    broker.clear_request_errors(RequestKind.OFFSET_COMMIT)
    committed = place.committed()
    assert committed != place.ends("items")
    assert_balanced(run.reports.all())


@pytest.mark.kafka
def test_a_topic_that_is_deleted_under_a_running_flow_ends_it(real_kafka: Place) -> None:
    prepare(real_kafka, 100)
    with running(plain(), real_kafka.config()) as run:
        run.reports.wait_for_consumed(100)
        real_kafka.recreate("items")
        with pytest.raises(RunError, match=real_kafka.names["items"]):
            run.wait()


def test_a_log_that_is_made_anew_under_a_running_flow_ends_it(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, 100)
    with running(plain(), place.config()) as run:
        run.reports.wait_for_consumed(100)
        broker.set_broker_down()
        broker.delete_topic(place.names["items"])
        broker.create_topics({place.names["items"]: 2})
        broker.set_broker_up()
        with pytest.raises(PositionLostError, match="stood at offset 50"):
            run.wait()


def test_what_librdkafka_says_goes_to_our_log_and_not_to_standard_error(
    faulty: tuple[Place, MockBroker], capfd: pytest.CaptureFixture[str]
) -> None:
    place, broker = faulty
    prepare(place, 40)
    place.topics.read(place.names["items"])
    capfd.readouterr()
    with capture_logs() as logs, running(plain(), place.config()) as run:
        run.reports.wait_for_consumed(40)
        broker.set_broker_down()
        deadline_s = time.monotonic() + 15
        while not any("Connect to" in entry["event"] for entry in logs):
            assert time.monotonic() < deadline_s, logs
            time.sleep(0.02)
        broker.set_broker_up()
        run.drain()
    assert any("rdkafka#" in entry["event"] for entry in logs)
    assert capfd.readouterr().err == ""
    assert ids(place)
