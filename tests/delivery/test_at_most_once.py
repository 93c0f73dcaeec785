"""At most once the client commits on its own schedule, whether or not outputs are written."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import ClassVar

import pytest

from loom_runtime import Message, RecordStep
from loom_runtime.failures import UnroutedErrorError
from tests.delivery.checks import assert_balanced, ids
from tests.delivery.flows import Check, Item, flow, items
from tests.delivery.places import Place
from tests.delivery.running import run_to_end, running

CONSUMER = {"delivery": "at_most_once", "extra": {"auto.commit.interval.ms": 50}}


class Gate(RecordStep[Item, Item]):
    """Holds every record until the test opens it."""

    opened: ClassVar[threading.Event] = threading.Event()

    def execute(self, message: Message[Item]) -> Item:
        """Wait, and pass the record on."""
        assert self.opened.wait(20)
        return message.payload


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    Gate.opened.clear()
    yield Gate.opened
    Gate.opened.set()


def prepare(place: Place) -> None:
    """Make the topics and fill the source."""
    source = place.topic("items")
    place.topic("out")
    place.topic("errors")
    place.topics.produce(source, items(40))


def await_committed(place: Place, offset: int) -> None:
    deadline_s = time.monotonic() + 15
    while place.committed() != {0: offset}:
        assert time.monotonic() < deadline_s, place.committed()
        time.sleep(0.02)


def test_at_most_once_the_client_commits_what_is_not_written_yet(
    place: Place, gate: threading.Event
) -> None:
    prepare(place)
    with running(flow(Gate), place.config(consumer=CONSUMER)) as run:
        await_committed(place, 40)
        assert place.read("out") == []
        gate.set()
        run.reports.wait_for_consumed(40)
        run.drain()
    assert ids(place) == list(range(40))
    assert_balanced(run.reports.all())
    assert run.last.partitions[0].committed == 40


def test_at_least_once_the_same_flow_commits_nothing_before_it_is_written(
    place: Place, gate: threading.Event
) -> None:
    prepare(place)
    with running(flow(Gate), place.config()) as run:
        time.sleep(0.4)  # many epochs and auto-commit intervals; what must not happen has no event
        assert place.committed()[0] in {None, 0}
        gate.set()
        run.reports.wait_for_consumed(40)
        run.drain()
    assert place.committed() == {0: 40}


def test_at_most_once_a_failed_run_is_not_repeated(embedded: Place) -> None:
    source = embedded.topic("items")
    embedded.topic("out")
    kinds = ["fine"] * 10 + ["task"] + ["fine"] * 29
    embedded.topics.produce(source, items(40, kind=lambda index: kinds[index]))
    strict = flow(Check, errors=None)
    with pytest.raises(UnroutedErrorError):
        run_to_end(strict, embedded.config(consumer=CONSUMER))
    # Leaving the broker, the client commits what was read.
    assert embedded.committed() == {0: 40}
    run_to_end(strict, embedded.config(consumer=CONSUMER))
    assert len(ids(embedded)) <= 10


def test_at_most_once_an_idle_partition_is_committed_again(embedded: Place) -> None:
    prepare(embedded)
    config = embedded.config(consumer={**CONSUMER, "commit_keepalive_ms": 100})
    with running(flow(Check), config) as run:
        await_committed(embedded, 40)
        embedded.commit({0: 7})  # stands for a broker that forgot the offset
        await_committed(embedded, 40)
        run.drain()
