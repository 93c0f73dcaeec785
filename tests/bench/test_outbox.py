"""What a host tells: bounded and folded, totals exact, however slowly the bench reads."""

import threading
import time
from collections.abc import Iterator

import msgspec
import pytest

from loom_bench.host.outbox import (
    MAX_EVENTS_OF_A_SORT,
    MAX_GROUPS,
    Failed,
    Outbox,
)
from loom_bench.protocol.feeding import FeedProgress
from loom_bench.protocol.frames import (
    ErrorGroup,
    Errors,
    Events,
    Finished,
    Ledger,
    SeenEvent,
    Started,
)
from loom_runtime.ledger import LedgerReport


class Bench:
    """Takes frames, and can be kept from taking any."""

    def __init__(self) -> None:
        self.frames: list[msgspec.Struct] = []
        self.reads = threading.Event()
        self.reads.set()
        self.stuck = threading.Event()

    def send(self, frame: msgspec.Struct) -> None:
        if not self.reads.is_set():
            self.stuck.set()
            self.reads.wait()
        self.frames.append(frame)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.reads.set()


def tell_event(outbox: Outbox, number: int, sort: str = "Price") -> None:
    outbox.event(sort, lambda: SeenEvent(scope="node", name=sort, kind="end", at_ms=number))


def tell_failure(outbox: Outbox, number: int, at_ms: int) -> None:
    found = f"{number:x}"
    outbox.failure(found, Failed(at_ms, offset=at_ms), lambda: group(found, at_ms))


def group(found: str, at_ms: int) -> ErrorGroup:
    return ErrorGroup(
        fingerprint=found,
        kind="task",
        node="Price",
        exception_type="ValueError",
        reason=f"reason at {at_ms}",
        count=1,
        first_ms=at_ms,
        last_ms=at_ms,
        offset=at_ms,
    )


def test_a_slow_bench_never_slows_the_flow_and_totals_stay_exact(bench: Bench) -> None:
    outbox = Outbox(bench)
    bench.reads.clear()
    outbox.answer(Started())
    assert bench.stuck.wait(10)
    began_s = time.monotonic()
    for number in range(20_000):
        tell_event(outbox, number)
        tell_failure(outbox, number % 3, number)
        outbox.ledger(LedgerReport(flow="f", epoch=number, partitions=()))
        outbox.feed_progress(number)
    assert time.monotonic() - began_s < 10  # nothing waited for the bench
    outbox.answer(Finished(outcome="finished"))
    bench.reads.set()
    outbox.close(10)

    events = [frame for frame in bench.frames if isinstance(frame, Events)]
    kept = sum(len(frame.events) for frame in events)
    assert kept <= MAX_EVENTS_OF_A_SORT
    assert events[-1].seen == 20_000
    assert events[-1].left_out == 20_000 - kept
    errors = [frame for frame in bench.frames if isinstance(frame, Errors)]
    assert errors[-1].seen == 20_000
    assert sum(group.count for group in errors[-1].groups) == 20_000
    assert [f.report.epoch for f in bench.frames if isinstance(f, Ledger)] == [19_999]
    assert [f.delivered for f in bench.frames if isinstance(f, FeedProgress)] == [19_999]
    assert isinstance(bench.frames[-1], Finished)


def test_a_group_keeps_its_first_sample_and_its_newest_place(bench: Bench) -> None:
    outbox = Outbox(bench)
    for at_ms in (5, 6, 7):
        tell_failure(outbox, 1, at_ms)
    outbox.close(10)
    newest = [frame for frame in bench.frames if isinstance(frame, Errors)][-1].groups[0]
    assert (newest.count, newest.first_ms, newest.last_ms) == (3, 5, 7)
    assert (newest.reason, newest.offset) == ("reason at 5", 7)


def test_failures_beyond_the_last_group_are_counted_together(bench: Bench) -> None:
    outbox = Outbox(bench)
    for number in range(MAX_GROUPS + 7):
        tell_failure(outbox, number, number)
    tell_failure(outbox, 0, 9)
    outbox.close(10)
    frames = [frame for frame in bench.frames if isinstance(frame, Errors)]
    assert frames[-1].ungrouped == 7
    assert frames[-1].seen == MAX_GROUPS + 8
    assert len({group.fingerprint for frame in frames for group in frame.groups}) == MAX_GROUPS


def test_a_flood_of_one_sort_of_event_hides_no_other(bench: Bench) -> None:
    outbox = Outbox(bench)
    bench.reads.clear()
    outbox.answer(Started())
    assert bench.stuck.wait(10)
    for number in range(5_000):
        tell_event(outbox, number, "Price")
    tell_event(outbox, 7, "commit")
    bench.reads.set()
    outbox.close(10)
    told = [frame for frame in bench.frames if isinstance(frame, Events)]
    assert "commit" in [each.name for frame in told for each in frame.events]
    assert told[-1].seen == 5_001


def test_nothing_to_tell_sends_nothing(bench: Bench) -> None:
    Outbox(bench).close(10)
    assert bench.frames == []


def test_a_frame_that_cannot_be_sent_is_not_kept_quiet(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = threading.Event()
    outbox = Outbox(bench, broken.set)
    bench.send = lambda frame: 1 / 0  # type: ignore[assignment, method-assign]
    outbox.answer(Started())
    assert broken.wait(10)
    assert "cannot be sent: division by zero" in capsys.readouterr().err
