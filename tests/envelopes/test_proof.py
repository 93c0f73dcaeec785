"""A live session: what a save does to envelopes, and that only a proof says that one is fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loom_bench.broker.place import RecordPlace
from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.terms import RedriveTarget, Selection, TriageState
from loom_bench.session.envelopes.value import InboxValue, ProofTally
from loom_bench.session.tracing.value import TraceState
from loom_runtime.tracing.trace import TraceOutcome
from tests.bench.live.sessions import Live
from tests.bench.processes import await_true
from tests.envelopes.test_pytest_file import passes

FLOW = """
import os
import time

from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StreamFlow,
)


class Order(LoomStruct):
    id: int
    cents: int = 0


class Price(RecordStep[Order, Order]):
    def execute(self, message: Message[Order]) -> Order:
        order = message.payload
        if order.id % 3 == 1:
            raise KeyError("no price")
        if order.id % 3 == 2:
            raise ValueError("odd")
        return Order(order.id, 100)


flow = StreamFlow(
    "orders",
    source=FromTopic("orders", payload=Order),
    process=Process(Price),
    output=IntoTopic("priced", payload=Order),
    errors=IntoTopic("broken", payload=ErrorEnvelope[Order]),
)


def bench_feed():
    for number in range(9):
        yield str(number), Order(number)
"""

NO_PRICE = 'raise KeyError("no price")'


class Desk:
    """A session and its inbox."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.box = live.session.envelopes

    def until(self, holds: Callable[[InboxValue], object], what: str) -> InboxValue:
        """Wait for a value of the inbox and return it."""
        await_true(lambda: bool(holds(self.box.value())), what, timeout_s=60)
        return self.box.value()

    def until_proved(self, revision: int) -> InboxValue:
        """Wait until every open envelope was tried in a revision."""
        return self.until(
            lambda value: (
                value.proof is not None and value.proof.revision == revision and value.proof.done
            ),
            f"r{revision} was not proved",
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Live(tmp_path, FLOW) as live:
        made = Desk(live)
        made.until(lambda value: value.kept.seen == 6, "six envelopes did not come")
        yield made


def test_a_fix_is_proved_and_redriven_and_a_regression_is_open_again(desk: Desk) -> None:
    desk.live.edit(NO_PRICE, "pass")
    value = desk.until_proved(2)
    groups = {group.exception_type: group for group in value.groups}
    fixed, odd = groups["builtins.KeyError"], groups["builtins.ValueError"]
    assert (fixed.states, fixed.fixed_in) == ({TriageState.FIXED: 3}, 2)
    assert odd.states == {TriageState.OPEN: 3}
    assert odd.proof is not None
    assert (odd.proof.same_error, odd.proof.passes) == (3, 0)
    assert value.node_proofs["Price"].passes == 3
    # What envelopes call the revision is its number in this session.
    assert {group.revision for group in value.groups} == {"r1"}

    desk.live.edit("        if order.id % 3 == 1:\n            pass\n", NO_PRICE_OTHERWISE)
    value = desk.until_proved(3)
    assert value.states == {TriageState.OPEN: 6}
    verdicts = {row.exception_type: row.verdict for row in value.window.rows}
    assert verdicts == {
        "builtins.KeyError": Verdict.DIFFERENT_ERROR,
        "builtins.ValueError": Verdict.SAME_ERROR,
    }

    desk.live.edit('raise RuntimeError("worse")', "pass")
    desk.live.edit('raise ValueError("odd")', "pass")
    value = desk.until(
        lambda value: value.states == {TriageState.FIXED: 6}, "not every one was fixed"
    )
    desk.box.plan_redrive(Selection(everything=True), RedriveTarget())
    desk.until(lambda value: value.plan is not None and not value.plan.counting, "no dry run")
    desk.box.start_redrive()
    value = desk.until(lambda value: value.states == {TriageState.REDRIVEN: 6}, "not redriven")
    done = desk.live.until(
        lambda value: (
            sum(each.row.written for each in value.offsets) >= 6
            and all(each.row.balanced for each in value.offsets)
            and sum(each.row.consumed for each in value.offsets) >= 6
        ),
        "the redriven records were not written",
    )
    assert sum(each.row.errored for each in done.offsets) == 0
    assert value.open == 0


NO_PRICE_OTHERWISE = """        if order.id % 3 == 1:
            raise RuntimeError("worse")
"""


def test_what_hangs_or_exits_is_cut_off_and_the_rest_is_tried(desk: Desk) -> None:
    text = "if message.meta.offset is not None and order.id == 4:\n                os._exit(3)\n"
    desk.live.session.pause()
    desk.live.edit(NO_PRICE, f"{text}            pass")
    value = desk.until_proved(2)

    rows = {row.key: row for row in value.window.rows}
    assert rows["4"].verdict is Verdict.CUT_OFF
    assert rows["4"].state is TriageState.OPEN
    assert {rows[key].state for key in ("1", "7")} == {TriageState.FIXED}
    assert {rows[key].verdict for key in ("2", "5", "8")} == {Verdict.SAME_ERROR}


def test_a_cancelled_proof_tells_what_it_found_and_leaves_the_rest(desk: Desk) -> None:
    rows = desk.until(lambda value: len(value.window.rows) == 6, "no rows").window.rows
    last = max(rows, key=lambda row: row.source or RecordPlace("", 0, 0)).key
    desk.live.session.pause()
    desk.live.edit(
        "        if order.id % 3 == 1:\n",
        f"        while order.id == {last}:\n            time.sleep(0.05)\n"
        "        if order.id % 3 == 1:\n",
    )
    value = desk.until(
        lambda value: value.proof is not None and value.proof.same_error == 5,
        "the first five were not proved",
    )
    assert value.proof is not None
    assert (value.proof.under_way, value.proof.waiting) == (True, 1)

    desk.box.cancel_proof()
    value = desk.until(lambda value: not value.proving, "the proof was not cancelled")
    assert value.proof == ProofTally(revision=2, same_error=5, waiting=1)
    assert not any(group.proof is not None and group.proof.under_way for group in value.groups)
    assert value.notices[-1].text == (
        "the proof in r2 is cancelled: 0 pass, 5 fail, 1 not proved and as before"
    )
    desk.box.cancel_proof()
    desk.until(
        lambda value: value.notices[-1].text == "no proof is under way", "nothing came of it"
    )


def test_what_the_newest_revision_wrote_itself_needs_no_proof(desk: Desk) -> None:
    desk.live.edit('raise ValueError("odd")', "pass")
    desk.until_proved(2)
    desk.live.session.feed_record(None, '{"id": 4}')
    value = desk.until(lambda value: value.kept.seen == 7, "no seventh envelope came")
    assert value.proof == ProofTally(revision=2, passes=3, same_error=4)


def test_an_opened_envelope_is_traced_edited_and_made_a_test(desk: Desk, tmp_path: Path) -> None:
    value = desk.box.value()
    row = next(row for row in value.window.rows if row.key == "1")
    opened = traced(desk, lambda: desk.box.open_envelope(row.id))
    assert opened is TraceOutcome.ERRORED
    edited = traced(desk, lambda: desk.box.retry(b'{"id": 3}'))
    assert edited is TraceOutcome.WRITTEN

    desk.live.edit(NO_PRICE, "pass")
    desk.until_proved(2)
    assert traced(desk, desk.box.retry) is TraceOutcome.WRITTEN
    desk.box.write_test()
    value = desk.until(lambda value: value.notices, "no test was written")

    assert value.notices[-1].path is not None, value.notices
    test = Path(value.notices[-1].path)
    assert passes(test)


def traced(desk: Desk, ask: Callable[[], None]) -> TraceOutcome:
    """Ask for a trace of the open envelope and return how it ended."""
    opened = desk.box.value().opened
    before = None if opened is None else opened.trace
    ask()

    def number() -> int | None:
        opened = desk.box.value().opened
        return None if opened is None or opened.trace == before else opened.trace

    def outcomes() -> list[TraceOutcome]:
        return [
            each.trace.outcome
            for each in desk.live.value.tracing.traces
            if each.number == number() and each.state is TraceState.DONE
        ]

    await_true(lambda: number() is not None and bool(outcomes()), "no trace ended", timeout_s=60)
    return outcomes()[0]


COUNTING = """
from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomStruct, Message, Process, StatefulStep, StreamFlow,
)


class Order(LoomStruct):
    id: int


class Count(LoomStruct):
    seen: int = 0


class Limit(StatefulStep[Order, Order, Count]):
    def key(self, message: Message[Order]) -> str:
        return "all"

    def initial(self) -> Count:
        return Count()

    def execute(self, state: Count, message: Message[Order]) -> tuple[Count, list[Order]]:
        if state.seen == 4:
            raise ValueError("four are enough")
        return Count(state.seen + 1), [message.payload]


flow = StreamFlow(
    "orders",
    source=FromTopic("orders", payload=Order),
    process=Process(Limit),
    output=IntoTopic("passed", payload=Order),
    errors=IntoTopic("broken", payload=ErrorEnvelope[Order]),
)


def bench_feed():
    for number in range(7):
        yield "all", Order(number)
"""


def test_a_failure_that_depends_on_keyed_state_is_proved_with_it(tmp_path: Path) -> None:
    with Live(tmp_path, COUNTING) as live:
        counting = Desk(live)
        counting.until(lambda value: value.kept.seen == 3, "three envelopes did not come")
        live.edit("def bench_feed", "# another revision\n\n\ndef bench_feed")
        value = counting.until_proved(2)
        assert value.proof == ProofTally(revision=2, same_error=3)

        live.edit("state.seen == 4", "state.seen == 5")
        value = counting.until_proved(3)
        assert value.proof == ProofTally(revision=3, passes=3)
