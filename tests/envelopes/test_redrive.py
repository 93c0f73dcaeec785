"""Redrives on a real broker: what is written, in which order, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from loom_bench.session.envelopes import redriving, shelf
from loom_bench.session.envelopes.redrive_value import RedrivePlan, RedriveProgress
from loom_bench.session.envelopes.repeating import behind_a_fan_out
from loom_bench.session.envelopes.terms import (
    InboxFilter,
    RedriveGoal,
    RedriveTarget,
    Selection,
    TriageState,
)
from loom_bench.session.envelopes.value import InboxValue
from loom_runtime import ConfigContext, compile_flow
from loom_runtime.compiler.document import document_of
from loom_runtime.compiler.plan import NodeKind
from loom_runtime.wire.headers import ATTEMPT, DLQ_ERROR, FAILED_AS
from sample_flows import orders
from tests.broker_fixtures import NewRecord, Topics
from tests.envelopes.foreign_writers import spring
from tests.envelopes.inboxes import Opened, Place, opened

EVERYTHING = Selection(everything=True)
SOURCE = RedriveTarget()


@pytest.fixture
def place(topics: Topics) -> Place:
    return Place(topics)


def planned(
    box: Opened, selection: Selection = EVERYTHING, target: RedriveTarget = SOURCE
) -> RedrivePlan:
    """Return a dry run."""
    box.inbox.plan_redrive(selection, target)
    value = box.until(
        lambda value: (
            value.plan is not None and not value.plan.counting and value.plan.selection == selection
        ),
        "no dry run",
    )
    assert value.plan is not None
    return value.plan


def redriven(box: Opened, rate_per_s: float | None = None) -> RedriveProgress:
    """Do what was planned to its end."""
    box.inbox.start_redrive(rate_per_s=rate_per_s)
    value = box.until(
        lambda value: value.redrive is not None and value.redrive.state != "running",
        "the redrive did not end",
    )
    assert value.redrive is not None
    return value.redrive


def told_more_than(count: int) -> Callable[[InboxValue], bool]:
    """Return whether there are more notices."""
    return lambda value: len(value.notices) > count


def test_records_go_back_to_their_partition_with_key_headers_and_attempt(place: Place) -> None:
    place.write_orders([(0, "tea", "a"), (1, "unicorn", "b")], partition=0)
    place.write_orders([(2, "unicorn", "c")], partition=1)
    place.write_envelopes(place.envelope(1, "b", attempt=3), place.envelope(0, "c", partition=1))
    with opened(place) as box:
        value = box.until_seen(2)
        plan = planned(box)
        progress = redriven(box)
        fingerprint = value.groups[0].fingerprint
        states = box.value.states

    assert (plan.envelopes, plan.records, plan.typed) == (2, 2, False)
    assert [(each.topic, each.records, each.partitions) for each in plan.topics] == [
        (place.source, 2, 2)
    ]
    assert (progress.state, progress.written, progress.failed) == ("done", 2, 0)
    assert states == {TriageState.REDRIVEN: 2}
    last = {record.partition: record for record in place.read(place.source)}
    assert (last[0].key, last[1].key) == (b"b", b"c")
    assert last[0].value == b'{"number": 1, "product": "unicorn"}'
    assert list(last[0].headers) == [
        ("shop", b"1"),
        (ATTEMPT, b"3"),
        (FAILED_AS, fingerprint.encode()),
    ]
    assert dict(last[1].headers)[ATTEMPT] == b"1"


def test_a_dry_run_writes_nothing(place: Place) -> None:
    place.write_orders([(0, "unicorn", "a")])
    place.write_envelopes(place.envelope(0, "a"))
    with opened(place) as box:
        box.until_seen(1)
        planned(box)
    assert len(place.read(place.source)) == 1


def test_the_order_of_a_key_is_kept(place: Place) -> None:
    numbers = range(300)
    place.write_orders([(number, "unicorn", f"k{number % 7}") for number in numbers])
    # They arrive in another order than the flow had read them in.
    shuffled = sorted(numbers, key=lambda number: number * 7919 % 300)
    place.write_envelopes(*(place.envelope(each, f"k{each % 7}") for each in shuffled))
    with opened(place) as box:
        box.until_seen(300)
        planned(box)
        assert redriven(box).written == 300

    again = [record for record in place.read(place.source) if record.offset >= 300]
    by_key: dict[bytes | None, list[bytes | None]] = {}
    for record in again:
        by_key.setdefault(record.key, []).append(record.value)
    assert len(again) == 300
    for key, values in by_key.items():
        first = int((key or b"")[1:])
        expected = [number for number in numbers if number % 7 == first]
        assert [value.split(b",")[0] for value in values if value] == [
            f'{{"number": {number}'.encode() for number in expected
        ]


def test_two_envelopes_of_a_record_are_redriven_once(place: Place) -> None:
    place.write_orders([(0, "unicorn", "a")])
    place.write_envelopes(place.envelope(0, "a"), place.envelope(0, "a", node="Other"))
    with opened(place) as box:
        box.until_seen(2)
        plan = planned(box)
        redriven(box)
        assert (plan.envelopes, plan.records) == (2, 1)
        assert box.value.states == {TriageState.REDRIVEN: 2}
    assert len(place.read(place.source)) == 2


def test_what_failed_again_in_the_same_way_is_parked(place: Place) -> None:
    place.write_orders([(0, "unicorn", "a")])
    place.write_envelopes(place.envelope(0, "a"))
    with opened(place) as box:
        group = box.until_seen(1).groups[0]
        failed_as = {ATTEMPT: b"1", FAILED_AS: group.fingerprint.encode()}
        place.write_envelopes(
            place.envelope(0, "a", attempt=2, headers=failed_as),
            place.envelope(0, "a", attempt=2, headers=failed_as, node="Elsewhere"),
        )
        value = box.until_seen(3)
        plan = planned(box)
        again = next(row for row in value.window.rows if row.parked)
        chosen = planned(box, Selection(envelopes=(again.id,)))

    assert {each.node: each.parked for each in value.groups} == {"Elsewhere": 0, "Price": 1}
    assert (plan.envelopes, plan.parked) == (2, 1)
    assert (chosen.envelopes, chosen.parked) == (1, 0)


def test_later_records_of_a_key_are_warned_of(place: Place) -> None:
    place.write_orders(
        [(0, "unicorn", "a"), (1, "unicorn", "b"), (2, "unicorn", "a"), (3, "tea", "b")]
    )
    place.write_envelopes(*(place.envelope(each, "aba"[each]) for each in range(3)))
    with opened(place) as box:
        box.until_seen(3)
        plan = planned(box)

    # Those of key a are redriven together, in order; the one of key b comes after a later one.
    assert (plan.overtaken, plan.overtaken_keys) == (1, ("b",))


def test_foreign_records_go_back_without_the_foreign_headers(place: Place) -> None:
    letters = place.topics.create("letters")
    headers = (("shop", b"1"), *spring(place.source, 1, 9, at_ms=1_700_000_000_000))
    place.write_letter(letters, b"key", b"carried", headers)
    with opened(place) as box:
        box.inbox.read_topic(letters)
        box.until_seen(1)
        planned(box)
        assert redriven(box).written == 1

    (record,) = place.read(place.source)
    assert (record.partition, record.key, record.value) == (1, b"key", b"carried")
    assert [name for name, _ in record.headers] == ["shop", ATTEMPT, FAILED_AS]
    assert record.timestamp_ms == 1_700_000_000_000


def test_dead_letters_go_to_the_topic_that_they_were_meant_for(place: Place) -> None:
    letter = NewRecord(b"{}", b"k", (("own", b"1"), (DLQ_ERROR, b"too large")))
    place.topics.produce(place.dead, [letter])
    with opened(place) as box:
        box.until_seen(1)
        planned(box)
        assert redriven(box).written == 1

    (record,) = place.read(place.output)
    assert (record.value, list(record.headers)) == (b"{}", [("own", b"1")])


def test_another_topic_takes_them_by_key(place: Place) -> None:
    place.write_orders([(0, "unicorn", "a")])
    place.write_envelopes(place.envelope(0, "a"))
    other = place.topics.create("by-hand")
    target = RedriveTarget(goal=RedriveGoal.TOPIC, topic=other)
    with opened(place) as box:
        box.until_seen(1)
        missing = planned(box, target=RedriveTarget(goal=RedriveGoal.TOPIC, topic="no-such"))
        assert missing.problem is not None
        assert "no topic no-such" in missing.problem.message
        planned(box, Selection(filter=InboxFilter(key="a")), target)
        assert redriven(box).written == 1
    assert [record.key for record in place.read(other)] == [b"a"]


def test_only_open_and_fixed_ones_are_redriven(place: Place) -> None:
    place.write_orders([(each, "unicorn", "a") for each in range(3)])
    place.write_envelopes(*(place.envelope(each, "a") for each in range(3)), place.envelope(99))
    with opened(place) as box:
        rows = box.until_seen(4).window.rows
        ignored = next(row.id for row in rows if row.source and row.source.offset == 0)
        box.inbox.set_state(Selection(envelopes=(ignored,)), TriageState.IGNORED)
        plan = planned(box)
        progress = redriven(box)

    assert (plan.envelopes, plan.decided) == (3, 1)
    # The record that is gone is told, and its envelope stays open.
    assert (progress.written, progress.failed) == (2, 1)
    assert box.value.states[TriageState.IGNORED] == 1


def test_on_a_broker_of_somebody_else_the_address_is_typed(topics: Topics, tmp_path: Path) -> None:
    place = Place(topics, owned=False)
    place.write_orders([(0, "unicorn", "a")])
    place.write_envelopes(place.envelope(0, "a"))
    with opened(place, store=tmp_path / "t.sqlite") as box:
        box.until_seen(1)
        assert planned(box).typed
        for typed in (None, "", "localhost:1"):
            before = len(box.value.notices)
            box.inbox.start_redrive(typed_address=typed)
            value = box.until(told_more_than(before), "not refused")
            assert topics.bootstrap in value.notices[-1].text
            assert value.redrive is None
        box.inbox.start_redrive(typed_address=topics.bootstrap)
        box.until(lambda value: value.redrive and value.redrive.state == "done", "not done")
    assert len(place.read(place.source)) == 2


def test_a_redrive_keeps_its_rate_and_can_be_cancelled(place: Place) -> None:
    place.write_orders([(each, "unicorn", "a") for each in range(1_000)])
    place.write_envelopes(*(place.envelope(each, "a") for each in range(1_000)))
    with opened(place) as box:
        box.until_seen(1_000)
        planned(box)
        box.inbox.start_redrive(rate_per_s=50)
        box.until(lambda value: value.redrive and value.redrive.written >= 20, "not begun")
        box.inbox.cancel_redrive()
        value = box.until(
            lambda value: value.redrive and value.redrive.state == "cancelled", "not cancelled"
        )

    progress = value.redrive
    assert progress is not None
    assert 20 <= progress.written < 1_000
    # Never ahead of the rate by more than the second that a stall may be caught up on.
    assert progress.written <= 50 * (progress.elapsed_s + 1) + 1
    written = len(place.read(place.source)) - 1_000
    assert written == progress.written
    assert value.states[TriageState.REDRIVEN] == written


def test_a_group_is_redriven_with_what_is_counted_only(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LIMITS", shelf.Limits(kept=60, first=10))
    monkeypatch.setattr(redriving, "MAX_SINGLE", 100)
    place.write_orders([(each, "unicorn", f"k{each % 5}") for each in range(400)])
    for first in range(0, 400, 50):
        place.write_envelopes(
            *(place.envelope(each, f"k{each % 5}") for each in range(first, first + 50))
        )
    with opened(place) as box:
        value = box.until_seen(400)
        assert value.kept.kept <= 60
        assert value.kept.counted >= 340
        assert "counted" in value.kept.text
        ignored = value.window.rows[0].id
        box.inbox.set_state(Selection(envelopes=(ignored,)), TriageState.IGNORED)
        plan = planned(box, Selection(group=value.groups[0].fingerprint))
        progress = redriven(box)
        states = box.value.states

    assert (plan.records, plan.decided, progress.written) == (399, 1, 399)
    assert states == {TriageState.REDRIVEN: 399, TriageState.IGNORED: 1}
    assert len(place.read(place.source)) == 799


def test_what_comes_twice_behind_a_fan_out_is_warned_of() -> None:
    """In the order desk a bad price repeats nothing; a notice that fails repeats five branches."""
    client = {"brokers": ["localhost:9092"]}
    config = {"kafka": {"consumer": {**client, "group_id": "orders"}, "producer": client}}
    plan = document_of(compile_flow(orders.flow, config=ConfigContext.from_dict(config)))
    behind = behind_a_fan_out(plan)

    assert {"CountCustomer", "NotifyCustomer", "RateRisk", "IntoTopic(loyalty)"} < behind
    assert not behind & {"CheckOrder", "DropTests", "PriceOrder", "Router", "Broadcast"}


def test_a_redrive_into_a_fan_out_says_how_many_repeat(place: Place) -> None:
    (price,) = place.flow.plan.nodes
    fan_out = replace(price, id="All", name="All", kind=NodeKind.BROADCAST)
    check = replace(price, id="Check", name="Check")
    nodes = (check, replace(fan_out, path=(1,)), replace(price, path=(1, 0, 0)))
    place.flow = place.flow._replace(plan=replace(place.flow.plan, nodes=nodes))
    place.write_orders([(0, "unicorn", "a"), (1, "unicorn", "b")])
    place.write_envelopes(place.envelope(0, "a"), place.envelope(1, "b", node="Check"))
    with opened(place) as box:
        box.until_seen(2)
        assert planned(box).repeating == 1
