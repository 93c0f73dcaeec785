"""The inbox under a flood: a million envelopes arriving, searched, looked at.

``python -m benchmarks.envelopes`` writes a million envelopes from another process while the inbox
reads them. It prints what memory the bench took, how long making a value for the screen took and
how long a search took, first while envelopes come and then when all are there. Then it mends a flow
with ten thousand open envelopes while that works at full speed, and prints how fast they were
proved and what the flow made meanwhile. The last line is JSON.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.broker import open_broker, prefill
from benchmarks.report import Bar, Report, progress, spread
from benchmarks.reproving import BACKLOG, Proof, ProofFailedError, reprove
from loom_bench.broker import topics
from loom_bench.broker.contract import BrokerError
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.inbox import Inbox
from loom_bench.session.envelopes.terms import InboxFilter
from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.tracing.value import TracingView
from loom_runtime import (
    ConfigContext,
    ErrorEnvelope,
    ErrorKind,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    Process,
    RecordStep,
    StreamFlow,
    compile_flow,
)
from loom_runtime.compiler.document import document_of
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import message_for_envelope
from loom_runtime.wire.envelopes import EnvelopeEncoder

ENVELOPES: Final = 1_000_000
PARTITIONS: Final = 4
GROUPS: Final = 25
WORDS: Final = ("unicorn", "samovar", "teapot", "kettle", "mug")

TRACEBACK: Final = '  File "flood.py", line 12, in Price.execute\n    return prices[product]'

PROVED: Final = 10_000
FLOW_LIMIT: Final = 0.8

FRAME_LIMIT_MS: Final = 100.0
SEARCH_LIMIT_MS: Final = 200.0
MEMORY_LIMIT_MB: Final = 300.0
"""What the inbox may take beyond what the bench had before: its own bound is 64 MB of envelopes,
the rest is the client's fetch buffers and what Python needs for it all."""

_SEARCHES: Final = 40
_LOOK_S: Final = 0.002
_STALL_S: Final = 60.0


class Order(LoomFrozenStruct, frozen=True):
    """What failed."""

    order_id: str
    product: str


class Price(RecordStep[Order, Order]):
    """Never runs: the flow is there for its topics."""

    def execute(self, message: Message[Order]) -> Order:
        return message.payload


@dataclass
class Seen:
    """What was measured while envelopes came.

    Attributes:
        frames_ms: How long making each value took.
        gaps_ms: Time from each value to the next.
        searches_ms: Time from a filter to the value that has it.
        peak_mb: Greatest resident memory.
    """

    frames_ms: list[float] = field(default_factory=list)
    gaps_ms: list[float] = field(default_factory=list)
    searches_ms: list[float] = field(default_factory=list)
    peak_mb: float = 0.0


class FloodFailedError(RuntimeError):
    """Envelopes were lost, or ceased to come."""


def plan_of(topic: str) -> PlanDocument:
    """The plan of a flow whose errors go to *topic*."""
    flow = StreamFlow(
        "flood",
        source=FromTopic("orders", Order),
        process=Process(Price),
        output=IntoTopic("priced", Order),
        errors=IntoTopic(topic, payload=ErrorEnvelope[Order]),
    )
    client = {"brokers": ["localhost:9092"]}
    config = {"kafka": {"consumer": {**client, "group_id": "flood"}, "producer": client}}
    return document_of(compile_flow(flow, config=ConfigContext.from_dict(config)))


def write_flood(broker: str, topic: str, count: int) -> None:
    """Write *count* envelopes of GROUPS groups, as a flow would."""
    encoder = EnvelopeEncoder(WireFormat.JSON)

    def records() -> object:
        for number in range(count):
            word = WORDS[number % len(WORDS)]
            message = Message(
                payload=Order(f"o-{number:07d}", word),
                meta=MessageMeta(
                    message_id=f"orders:{number % PARTITIONS}:{number // PARTITIONS}",
                    topic="orders",
                    partition=number % PARTITIONS,
                    offset=number // PARTITIONS,
                    key=f"customer-{number % 5_003}".encode(),
                    produced_at_ms=1_767_254_400_000 + number,
                ),
            )
            envelope = ErrorEnvelope(
                kind=ErrorKind.TASK,
                reason=f"'{word}' has no price",
                payload_type="order",
                original_message=message_for_envelope(message),
                flow="flood",
                revision="0123456789ab",
                node=f"Price{number % GROUPS}",
                exception_type="builtins.KeyError",
                traceback=TRACEBACK,
            )
            key, value, _ = encoder.encode(envelope)
            yield number % PARTITIONS, key or b"", value or b""

    prefill(broker, topic, records())  # type: ignore[arg-type]


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


def watch(inbox: Inbox, seen: Seen, ended: threading.Event) -> None:
    """Look at the inbox as a screen does, and note what each new value cost."""
    number, at_s = -1, time.perf_counter()
    while not ended.is_set():
        value = inbox.value()
        if value.number != number:
            now_s = time.perf_counter()
            if number >= 0:
                seen.gaps_ms.append((now_s - at_s) * 1000)
            seen.frames_ms.append(value.made_in_ms)
            number, at_s = value.number, now_s
            seen.peak_mb = max(seen.peak_mb, memory_mb())
        time.sleep(_LOOK_S)


def search(inbox: Inbox, text: str) -> float:
    """Return the milliseconds from a filter to the value that it holds in."""
    wanted = InboxFilter(text=text)
    began_s = time.perf_counter()
    inbox.set_filter(wanted)
    while inbox.value().filter != wanted:
        if time.perf_counter() - began_s > _STALL_S:
            raise FloodFailedError("a search was never answered")
        time.sleep(0.0005)
    return (time.perf_counter() - began_s) * 1000


def searches(inbox: Inbox, count: int) -> list[float]:
    """Return the times of searches for words, keys and numbers, some of which find nothing."""
    texts = [WORDS[0], "customer-42", "o-00004", "no such text at all"]
    taken = [search(inbox, texts[each % len(texts)] + "x" * (each % 2)) for each in range(count)]
    search(inbox, "")
    return taken


def flood(broker: str, count: int) -> tuple[InboxValue, Seen, dict[str, float]]:
    """Have envelopes written while the inbox reads them."""
    topic = f"flood-errors-{uuid.uuid4().hex[:8]}"
    topics.create_topics(broker, {topic: PARTITIONS})
    flow = InboxFlow(
        target=__file__,
        config_path=None,
        module="flood",
        plan=plan_of(topic),
        bootstrap=broker,
        owned=True,
    )
    inbox = Inbox(None, TracingView, lambda _flow: None)
    seen, ended = Seen(), threading.Event()
    before_mb = memory_mb()
    watcher = threading.Thread(target=watch, args=(inbox, seen, ended), daemon=True)
    try:
        inbox.flow_runs(flow)
        watcher.start()
        began_s = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.envelopes", "--write", topic]
        command += ["--broker", broker, "--envelopes", str(count)]
        with subprocess.Popen(command) as writer:
            value = until_read(inbox, seen, count)
            if writer.wait() != 0:
                raise FloodFailedError("the envelopes were not written")
        took_s = time.monotonic() - began_s
        quiet = searches(inbox, _SEARCHES)
        figures = {
            "seconds": round(took_s, 1),
            "envelopes_per_s": round(count / took_s),
            "memory_before_mb": round(before_mb, 1),
            "memory_peak_mb": round(seen.peak_mb, 1),
            "search_at_rest_ms": round(max(quiet), 1),
        }
        return value, seen, figures
    finally:
        ended.set()
        inbox.close()
        topics.delete_topics(broker, [topic])


def until_read(inbox: Inbox, seen: Seen, count: int) -> InboxValue:
    """Search again and again while envelopes come; return the inbox when all have."""
    heard_s, known, searched = time.monotonic(), 0, 0
    while True:
        value = inbox.value()
        if value.kept.seen != known:
            known, heard_s = value.kept.seen, time.monotonic()
            step = known * _SEARCHES // count
            if step > searched:
                searched = step
                seen.searches_ms += searches(inbox, 4)
                progress(
                    f"{known:,} envelopes read, {value.kept.kept:,} kept, {memory_mb():.0f} MB"
                )
        if known >= count:
            return value
        if time.monotonic() - heard_s > _STALL_S:
            raise FloodFailedError(f"only {known:,} of {count:,} envelopes came")
        time.sleep(0.05)


def p99(values: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)]


def report_of(value: InboxValue, seen: Seen, figures: dict[str, float], count: int) -> Report:
    """Figures and bars."""
    report = Report("envelopes")
    report.figures["flood"] = {
        **figures,
        "envelopes": count,
        "kept": value.kept.kept,
        "counted_only": value.kept.counted,
        "groups": value.groups_total,
        "value_ms": spread(seen.frames_ms, 2),
        "between_values_ms": spread(seen.gaps_ms, 1),
        "search_while_they_come_ms": spread(seen.searches_ms, 1),
    }
    grown_mb = figures["memory_peak_mb"] - figures["memory_before_mb"]
    slowest = max(p99(seen.searches_ms), figures["search_at_rest_ms"])
    report.bars += [
        Bar("envelopes lost", count - value.kept.seen, "==", 0),
        Bar("memory taken by the flood, MB", grown_mb, "<=", MEMORY_LIMIT_MB),
        Bar("making an inbox value, p99, ms", p99(seen.frames_ms), "<=", FRAME_LIMIT_MS),
        Bar("search over what is kept, ms", slowest, "<=", SEARCH_LIMIT_MS),
    ]
    return report


def add_proof(report: Report, proof: Proof) -> None:
    """Figures and bars of the proof."""
    report.figures["proof"] = {
        "envelopes": proof.envelopes,
        "passed": proof.passed,
        "seconds": round(proof.proof_s, 1),
        "envelopes_per_s": round(proof.envelopes / proof.proof_s),
        "flow_before_per_s": round(proof.base_per_s),
        "flow_meanwhile_per_s": round(proof.meanwhile_per_s),
    }
    ratio = proof.meanwhile_per_s / proof.base_per_s
    report.bars += [
        Bar("envelopes not proved", proof.envelopes - proof.passed, "==", 0),
        Bar("the flow while envelopes are proved, by before", ratio, ">=", FLOW_LIMIT),
    ]


def main() -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.envelopes", description=__doc__)
    parser.add_argument("--broker", metavar="HOST:PORT", help="instead of an embedded one")
    parser.add_argument("--envelopes", type=int, default=ENVELOPES, metavar="N")
    parser.add_argument("--proved", type=int, default=PROVED, metavar="N")
    parser.add_argument("--backlog", type=int, default=BACKLOG, metavar="N")
    parser.add_argument("--write", metavar="TOPIC", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write is not None:
        write_flood(options.broker, options.write, options.envelopes)
        return 0
    try:
        with open_broker(options.broker) as broker, TemporaryDirectory() as folder:
            value, seen, figures = flood(broker, options.envelopes)
            report = report_of(value, seen, figures, options.envelopes)
            add_proof(report, reprove(broker, Path(folder), options.proved, options.backlog))
    except (FloodFailedError, ProofFailedError, BrokerError) as error:
        progress(f"failed: {error}")
        return 1
    report.emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
