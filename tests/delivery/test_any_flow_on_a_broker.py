"""Any flow, over several partitions, workers and lives: outputs, envelopes and ledger are exact."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom_runtime import (
    ErrorEnvelope,
    ErrorKind,
    FromTopic,
    IntoTopic,
    Process,
    StreamFlow,
)
from loom_runtime.ledger import LedgerReport
from tests.delivery.checks import assert_balanced
from tests.delivery.places import Place
from tests.delivery.running import Run
from tests.nodes.any_flow import FLOWS, End, Part, Split, ended, nodes_of, results
from tests.nodes.running import Item

MOST = 15
"""Records of a partition."""

SINKS = ("out", "aside", "low", "high")


@dataclass(frozen=True)
class Life:
    """One of several runs of a flow.

    Attributes:
        records: How many records of each partition are there when it begins.
        drains: Whether it is drained at their end, or finishes.
        workers: Its workers.
    """

    records: int
    drains: bool
    workers: int


Values = list[int | None]
"""Values of one partition; ``None`` stands for a record that does not decode."""

LIVES = st.lists(
    st.builds(Life, st.integers(0, MOST), st.booleans(), st.integers(1, 3)), min_size=1, max_size=3
)


def fate(ends: list[End]) -> str:
    if any(isinstance(end, ErrorKind) for end in ends):
        return "errored"
    return "written" if any(isinstance(end, int) for end in ends) else "filtered"


def produce(place: Place, partitions: list[Values], start: int, end: int) -> None:
    """Write some of the records, with times that stand still: no window closes by itself."""
    producer = Producer({"bootstrap.servers": place.bootstrap, "linger.ms": 5, "log_level": 0})
    for partition, values in enumerate(partitions):
        for number, value in list(enumerate(values))[start:end]:
            item = {"id": f"{partition}/{number}", "value": value}
            producer.produce(
                place.names["items"],
                b"{" if value is None else json.dumps(item).encode(),
                partition=partition,
                timestamp=1_700_000_000_000 + number,
            )
    assert producer.flush(15) == 0


def flow_of(parts: tuple[Part, ...]) -> StreamFlow[Any, Any]:
    terminal = bool(parts) and isinstance(parts[-1], Split)
    return StreamFlow(
        "any",
        FromTopic("items", payload=Item),
        Process(*nodes_of(parts)),
        None if terminal else IntoTopic("out"),
        IntoTopic("errors", payload=ErrorEnvelope[Item]),
    )


def live(
    place: Place,
    flow: StreamFlow[Any, Any],
    lives: list[Life],
    partitions: list[Values],
    **config: Any,
) -> LedgerReport:
    """Write the records piece by piece and run the flow over each; the last run finishes."""
    start = 0
    for index, life in enumerate(lives):
        last = index == len(lives) - 1
        end = MOST if last else max(start, life.records)
        produce(place, partitions, start, end)
        start = end
        there = sum(len(values[:end]) for values in partitions)
        drains = life.drains and not last
        run = Run(
            flow,
            place.config(workers_per_process=life.workers, epoch_interval_ms=10, **config),
            until_idle_ms=None if drains else 0,
            drain_at=there if drains else None,
        )
        report = run.wait()
        assert_balanced(run.reports.all())
        assert report.total("consumed") == there
    return report


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    FLOWS,
    st.lists(st.lists(st.integers(0, 20) | st.none(), max_size=MOST), min_size=1, max_size=3),
    st.integers(1, 8),
    LIVES,
)
def test_any_flow_on_a_broker_is_exact_and_balances_at_every_epochs_end(
    embedded: Place,
    parts: tuple[Part, ...],
    partitions: list[Values],
    batch_size: int,
    lives: list[Life],
) -> None:
    place = Place("embedded", embedded.topics)
    place.topic("items", partitions=len(partitions))
    place.topic("out")
    place.names.update(dict.fromkeys(SINKS, place.names["out"]))
    place.topic("errors")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store" if len(lives) > 1 else None
        end = live(
            place,
            flow_of(parts),
            lives,
            partitions,
            store=store,
            consumer={"batch_size": batch_size},
        )

    ends: dict[str, list[End]] = {
        f"{partition}/{number}": [ErrorKind.WIRE]
        if value is None
        else list(map(ended, results(parts, value)))
        for partition, values in enumerate(partitions)
        for number, value in enumerate(values)
    }
    decode = msgspec.json.Decoder(Item).decode
    written = [decode(record.value or b"") for record in place.read("out")]
    right = [(key, each) for key, of_record in ends.items() for each in of_record]
    assert Counter((item.id, item.value) for item in written) == Counter(
        (key, each) for key, each in right if isinstance(each, int)
    )
    decode_envelope = msgspec.json.Decoder(ErrorEnvelope[Item]).decode
    envelopes = [decode_envelope(record.value or b"") for record in place.read("errors")]
    assert Counter(envelope.kind for envelope in envelopes) == Counter(
        each for _, each in right if isinstance(each, ErrorKind)
    )
    assert end.total("consumed") == len(ends)
    fates = Counter(map(fate, ends.values()))
    for name in ("written", "errored", "filtered"):
        assert end.total(name) == fates[name], name
    assert end.total("held") == 0
    assert end.total("records_written") == len(written)
    assert end.total("envelopes_written") == len(envelopes)
    offsets = {partition: len(values) for partition, values in enumerate(partitions)}
    committed = {partition: offset or 0 for partition, offset in place.committed().items()}
    assert committed == offsets
