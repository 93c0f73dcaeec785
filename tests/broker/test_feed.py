"""Feeding a topic: what arrives, how fast, how it is cancelled, and every way it can fail."""

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError

from loom_bench.broker.contract import BrokerError, NotOwnedError
from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.broker.external import ExternalBroker
from loom_bench.broker.feed import Feed, FeedError, FeedRecord
from loom_bench.broker.mock import MockBroker, RequestKind
from tests.broker.processes import await_true
from tests.broker_fixtures import Topics


def endless() -> Iterator[FeedRecord]:
    return (FeedRecord(None, b"%d" % i) for i in itertools.count())


def test_everything_arrives_and_is_counted(broker: EmbeddedBroker, topics: Topics) -> None:
    name = topics.create("fed", partitions=3)
    records = [FeedRecord(b"k%d" % (i % 5), b"%d" % i, [("n", b"1")]) for i in range(20_000)]

    assert Feed(broker, name, records).start().join() == 20_000

    read = topics.read(name)
    assert len(read) == 20_000
    assert sorted((r.key, r.value) for r in read) == sorted((r.key, r.value) for r in records)
    assert {tuple(r.headers) for r in read} == {(("n", b"1"),)}
    for key in {r.key for r in records}:
        values = [int(r.value or b"") for r in read if r.key == key]
        assert values == sorted(values)  # a key keeps its order


def test_tombstones_and_bare_values_are_written_as_they_are(
    broker: EmbeddedBroker, topics: Topics
) -> None:
    name = topics.create("fed")
    plain = (b"k", b"v", [("n", b"1")])
    Feed(broker, name, [FeedRecord(b"k", None), FeedRecord(None, b"v"), plain]).start().join()
    assert [(r.key, r.value, list(r.headers)) for r in topics.read(name)] == [
        (b"k", None, []),
        (None, b"v", []),
        plain,
    ]


def test_a_rate_is_kept(broker: EmbeddedBroker, topics: Topics) -> None:
    name = topics.create("fed")
    records = itertools.islice(endless(), 500)
    started = time.monotonic()
    assert Feed(broker, name, records, rate_per_s=1_000).start().join() == 500
    assert 0.35 < time.monotonic() - started < 5  # the last tenth of a second is written at once


def test_the_rate_can_change_while_it_runs(broker: EmbeddedBroker, topics: Topics) -> None:
    name = topics.create("fed")
    feed = Feed(broker, name, itertools.islice(endless(), 1_000), rate_per_s=2)
    with feed:
        await_true(lambda: feed.delivered >= 1, "the slow feed has begun")
        feed.rate_per_s = None
    assert feed.delivered == 1_000


def test_an_unlimited_feed_can_be_slowed_down(broker: EmbeddedBroker, topics: Topics) -> None:
    name = topics.create("fed")
    feed = Feed(broker, name, endless()).start()
    await_true(lambda: feed.delivered > 1_000, "the fast feed has begun")
    feed.rate_per_s = 0.001
    await_true(lambda: _is_still(feed), "the feed slows down")
    feed.cancel()
    assert feed.join(10) == len(topics.read(name))


def _is_still(feed: Feed) -> bool:
    before = feed.delivered
    time.sleep(0.2)
    return feed.delivered == before


@pytest.mark.parametrize("rate_per_s", [None, 1_000.0, 0.1])
def test_cancelling_keeps_what_was_written(
    broker: EmbeddedBroker, topics: Topics, rate_per_s: float | None
) -> None:
    name = topics.create("fed")
    feed = Feed(broker, name, endless(), rate_per_s=rate_per_s).start()
    await_true(lambda: feed.delivered >= 1, "the feed has begun")
    assert feed.running
    feed.cancel()
    delivered = feed.join(10)
    assert not feed.running
    assert delivered == len(topics.read(name))


def test_leaving_through_an_error_cancels(broker: EmbeddedBroker, topics: Topics) -> None:
    feed = Feed(broker, topics.create("fed"), endless())
    with pytest.raises(ZeroDivisionError), feed:
        _ = 1 // 0
    assert not feed.running


def test_waiting_has_a_limit(broker: EmbeddedBroker, topics: Topics) -> None:
    feed = Feed(broker, topics.create("fed"), endless(), rate_per_s=1).start()
    with pytest.raises(TimeoutError, match="still runs"):
        feed.join(0.05)
    feed.cancel()
    feed.join(10)


def test_an_error_in_the_records_surfaces_with_what_came_before_it(
    broker: EmbeddedBroker, topics: Topics
) -> None:
    def broken() -> Iterator[FeedRecord]:
        yield FeedRecord(None, b"good")
        raise LookupError("no such column")

    name = topics.create("fed")
    feed = Feed(broker, name, broken()).start()
    with pytest.raises(FeedError, match="LookupError: no such column") as caught:
        feed.join()
    assert isinstance(caught.value.__cause__, LookupError)
    assert "bench_feed" in caught.value.what_next
    assert [r.value for r in topics.read(name)] == [b"good"]
    assert feed.delivered == 1


@pytest.mark.parametrize(
    "record", [b"bare", FeedRecord(None, cast(bytes, 7)), FeedRecord(None, b"x", cast(Any, [1]))]
)
def test_what_is_no_record_is_told(
    broker: EmbeddedBroker, topics: Topics, record: FeedRecord | bytes
) -> None:
    feed = Feed(broker, topics.create("fed"), [cast(FeedRecord, record)]).start()
    with pytest.raises(FeedError, match="a record cannot be written"):
        feed.join()


def test_a_topic_that_is_not_there_is_not_made(broker: EmbeddedBroker) -> None:
    with pytest.raises(FeedError, match="no such topic"):
        Feed(broker, "never-made", endless()).start().join()


def test_a_broker_of_the_users_own_is_never_fed(broker: EmbeddedBroker, topics: Topics) -> None:
    name = topics.create("theirs")
    theirs = ExternalBroker.connect(broker.bootstrap)
    with pytest.raises(NotOwnedError, match="did not start"):
        Feed(theirs, name, endless())
    assert topics.read(name) == []


@pytest.mark.parametrize("rate_per_s", [0, -1, float("nan")])
def test_a_rate_must_be_above_zero(
    broker: EmbeddedBroker, topics: Topics, rate_per_s: float
) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Feed(broker, "any", endless(), rate_per_s=rate_per_s)
    feed = Feed(broker, "any", endless())
    with pytest.raises(ValueError, match="above zero"):
        feed.rate_per_s = rate_per_s


def test_a_refused_record_ends_the_feed() -> None:
    with MockBroker.start() as mock:
        mock.create_topics({"fed": 1})
        mock.push_request_errors(RequestKind.PRODUCE, [KafkaError.TOPIC_AUTHORIZATION_FAILED])
        with pytest.raises(FeedError, match="authorization failed"):
            Feed(mock, "fed", endless()).start().join(20)


def test_a_broker_that_dies_ends_the_feed() -> None:
    with EmbeddedBroker.start() as own:
        own.create_topics({"fed": 1})
        feed = Feed(own, "fed", endless(), delivery_timeout_s=1).start()
        await_true(lambda: feed.delivered > 0, "the feed has begun")
        own.stop()
        with pytest.raises(BrokerError, match=r"after \d+ delivered records.*timed out"):
            feed.join(20)


def test_no_thread_is_left(broker: EmbeddedBroker, topics: Topics) -> None:
    name = topics.create("fed")
    Feed(broker, name, [FeedRecord(None, b"x")]).start().join()
    assert not [thread for thread in threading.enumerate() if thread.name == f"feed-{name}"]
