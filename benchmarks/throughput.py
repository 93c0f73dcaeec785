"""``python -m benchmarks.throughput``: one job on four contestants, records per second.

Topic, JSON decode, price, encode, topic; at least once; four partitions; records of about 120
bytes. Each run is a fresh process with a fresh group and output topic. The clock is defined in
:mod:`benchmarks.race`, the job and the client settings in :mod:`benchmarks.job`.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import msgspec

from benchmarks.broker import open_broker, prefill
from benchmarks.child import RunFailedError
from benchmarks.job import (
    BATCH_RECORDS,
    CONSUMER_SETTINGS,
    EPOCH_INTERVAL_MS,
    PARTITIONS,
    PRODUCER_SETTINGS,
    make_order,
)
from benchmarks.peer_venv import PEER, peer_python
from benchmarks.race import Contestant, Outcome, run_once
from benchmarks.report import Bar, Report, progress, spread
from loom_bench.broker import topics
from loom_bench.broker.contract import BrokerError

NAMES: Final = ("bare", "bytewax", "peer", "ours")
EXTRAS: Final = (
    "bare_default",
    "peer_logging",
    "ours_4_steps",
    "ours_8_steps",
    "ours_idempotent",
    "bare_headers",
    "ours_headers",
)
"""Measured without a bar."""
_BARS: Final = (("bare", 1.0), ("bytewax", 2.0), ("peer", 15.0))


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    only: Sequence[str]
    records: int
    peer_records: int
    rounds: int
    broker: str | None


@dataclass
class Series:
    """The runs of one contestant, one entry a round."""

    records: int
    outcomes: list[Outcome] = field(default_factory=list)

    def rates(self) -> list[float]:
        """Records per second of every run."""
        return [outcome.records_per_s for outcome in self.outcomes]


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ``--help`` explains it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    choices = NAMES + EXTRAS
    parser.add_argument("--only", help=f"comma-separated, of: {', '.join(choices)}")
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--peer-records", type=int, default=30_000, help="its rate is compared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--broker", metavar="HOST:PORT", help="instead of an embedded one")
    found = parser.parse_args(arguments)
    only = tuple(str(found.only).split(",")) if found.only else choices
    unknown = [name for name in only if name not in choices]
    if unknown or found.rounds < 1:
        parser.error(f"unknown contestants {unknown}" if unknown else "--rounds must be 1 or more")
    return Options(only, found.records, found.peer_records, found.rounds, found.broker)


def contestants(only: Sequence[str]) -> list[Contestant]:
    """The contestants to run, in the order in which they alternate."""
    bare = "benchmarks.contestants.bare"
    ours = "benchmarks.contestants.loom"
    peer = "benchmarks.contestants.peer"
    here = sys.executable
    makers = {
        "bare": lambda: Contestant("bare", bare, here),
        "bytewax": lambda: Contestant(
            "bytewax", "benchmarks.contestants.bytewax_connectors", here, commits=False
        ),
        "peer": lambda: Contestant("peer", peer, peer_python(), wire="loom"),
        "ours": lambda: Contestant("ours", ours, here),
        "bare_default": lambda: Contestant("bare_default", bare, here, tuned=False),
        "peer_logging": lambda: Contestant(
            "peer_logging", peer, peer_python(), wire="loom", logs=True
        ),
        "ours_4_steps": lambda: Contestant("ours_4_steps", ours, here, steps=4),
        "ours_8_steps": lambda: Contestant("ours_8_steps", ours, here, steps=8),
        "ours_idempotent": lambda: Contestant("ours_idempotent", ours, here, idempotent=True),
        "bare_headers": lambda: Contestant("bare_headers", bare, here, headers=True),
        "ours_headers": lambda: Contestant("ours_headers", ours, here, headers=True),
    }
    return [makers[name]() for name in makers if name in only]


def json_records(count: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and value of ``count`` orders as plain JSON."""
    encode = msgspec.json.Encoder().encode
    for order_id in range(count):
        order = make_order(order_id)
        yield order_id % PARTITIONS, order.customer.encode(), encode(order)


def envelope_records(count: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The same orders in the peer's MessagePack envelope."""
    encode = msgspec.msgpack.Encoder().encode
    descriptor = {
        "message_type": "orders.order",
        "message_version": 1,
        "content_type": {"media_type": "application/x-loom-msgpack", "encoding": None},
        "schema_ref": None,
    }
    for order_id in range(count):
        order = make_order(order_id)
        meta = {"descriptor": descriptor, "trace_id": None, "produced_at_ms": order.at_ms}
        value = encode({"meta": meta, "payload": order})
        yield order_id % PARTITIONS, order.customer.encode(), value


def fill_source(broker: str, contestant: Contestant, records: int, run: str) -> str:
    """Create and fill the topic that every contestant with this format and these headers reads."""
    kind = f"{contestant.wire}{'-headers' if contestant.headers else ''}"
    source = f"orders-{kind}-{run}"
    progress(f"filling {source} with {records:,} records")
    make = envelope_records if contestant.wire == "loom" else json_records
    topics.create_topics(broker, {source: PARTITIONS})
    prefill(broker, source, make(records), contestant.headers)
    return source


def records_of(contestant: Contestant, options: Options) -> int:
    """How many records this contestant is given: the peer fewer, because it is slow."""
    return options.peer_records if contestant.wire == "loom" else options.records


def race(broker: str, options: Options) -> dict[str, Series]:
    """Run every contestant once a round, in turn."""
    entered = contestants(options.only)
    series = {one.name: Series(records_of(one, options)) for one in entered}
    run = uuid.uuid4().hex[:8]
    sources: dict[tuple[str, bool], str] = {}
    try:
        for one in entered:
            kind = (one.wire, one.headers)
            if kind not in sources:
                sources[kind] = fill_source(broker, one, series[one.name].records, run)
        for turn in range(1, options.rounds + 1):
            for one in entered:
                found = series[one.name]
                source = sources[one.wire, one.headers]
                label = f"{run}-{one.name}-{turn}"
                outcome = run_once(one, broker, source, found.records, label)
                found.outcomes.append(outcome)
                progress(
                    f"round {turn}/{options.rounds}  {one.name:<14}"
                    f"{outcome.records_per_s:>10,.0f}/s   {found.records:,} records, "
                    f"start-up {outcome.startup_s:.2f} s"
                )
    finally:
        topics.delete_topics(broker, list(sources.values()))
    return series


def ratio(series: dict[str, Series], name: str, base: str) -> list[float] | None:
    """Rates of ``name`` by rates of ``base``, round by round; None when either did not run."""
    if name not in series or base not in series:
        return None
    pairs = zip(series[name].rates(), series[base].rates(), strict=True)
    return [rate / base_rate for rate, base_rate in pairs]


def report_of(series: dict[str, Series], options: Options) -> Report:
    """Medians, spreads, ratios and bars."""
    report = Report("throughput")
    for name, found in series.items():
        report.figures[name] = {
            "records_per_s": spread(found.rates()),
            "startup_s": spread([outcome.startup_s for outcome in found.outcomes], 2),
            "records": found.records,
            "output_checksum": found.outcomes[-1].checksum,
        }
    for base, limit in _BARS:
        ratios = ratio(series, "ours", base)
        if ratios is not None:
            report.figures[f"ours_by_{base}"] = spread(ratios, 3)
        value = None if ratios is None else median(ratios)
        report.bars.append(Bar(f"ours by {base}, records/s", value, ">=", limit))
    headers = ratio(series, "ours_headers", "bare_headers")
    if headers is not None:
        report.figures["ours_by_bare_headers"] = spread(headers, 3)
    report.figures["setting"] = {
        "partitions": PARTITIONS,
        "batch_records": BATCH_RECORDS,
        "epoch_interval_ms": EPOCH_INTERVAL_MS,
        "consumer": CONSUMER_SETTINGS,
        "producer": PRODUCER_SETTINGS,
        "broker": "given" if options.broker else "embedded",
        "peer": PEER,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }
    return report


def main() -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    options = parse_options()
    try:
        with open_broker(options.broker) as broker:
            series = race(broker, options)
    except (RunFailedError, BrokerError) as error:
        progress(f"failed: {error}")
        return 1
    report_of(series, options).emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
